//! Reads headers, parameters and names of models: short texts, of which most come again with every request.

use obelus::{BuildError, Error, Format, Redactor};
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// How many texts are remembered; beyond that all are forgotten, so that texts that never come again make room.
const TEXTS_MAX: usize = 256;
/// Bytes of a text that is remembered.
const TEXT_BYTES_MAX: usize = 256;

/// Reads texts, and remembers those in which nothing was found. Whether something is found in a text depends on the
/// text alone, so it is not asked twice.
pub(crate) struct Reader {
    redactor: Redactor,
    clean: RwLock<HashSet<Box<[u8]>>>,
}

impl Reader {
    pub(crate) fn new() -> Result<Reader, BuildError> {
        let redactor = Redactor::builder().format(Format::Text).build()?;
        Ok(Reader { redactor, clean: RwLock::default() })
    }

    /// The text without what was found in it; nothing if it may pass as it is.
    ///
    /// # Errors
    /// Text that is not in UTF-8.
    pub(crate) fn read(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.clean.read().unwrap_or_else(PoisonError::into_inner).contains(text) {
            return Ok(None);
        }
        let safe = self.redactor.redact(text)?;
        if safe != text {
            return Ok(Some(safe));
        }
        if text.len() <= TEXT_BYTES_MAX {
            let mut clean = self.clean.write().unwrap_or_else(PoisonError::into_inner);
            if clean.len() >= TEXTS_MAX {
                clean.clear();
            }
            clean.insert(text.into());
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_the_same_each_time() {
        let reader = Reader::new().unwrap();
        for _ in 0..2 {
            assert_eq!(reader.read(b"text/event-stream").unwrap(), None);
            assert_eq!(reader.read(b"by jenny@example.com").unwrap().unwrap(), b"by [email]");
            assert!(reader.read(b"\xff").is_err());
        }
        assert_eq!(reader.clean.read().unwrap().len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let reader = Reader::new().unwrap();
        for number in 0..TEXTS_MAX + 10 {
            assert_eq!(reader.read(format!("key {number}").as_bytes()).unwrap(), None);
        }
        assert_eq!(reader.read(&[b'a'; TEXT_BYTES_MAX + 1]).unwrap(), None);
        assert_eq!(reader.clean.read().unwrap().len(), 10);
    }
}
