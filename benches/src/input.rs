//! Inputs: a corpus and where its documents lie.

use obelus_corpora::{Kind, Planted, generate};
use std::ops::Range;

const SEED: u64 = 1;

/// A corpus, what was planted in it, and where its documents are: rivals that parse need whole ones.
#[derive(Debug)]
pub struct Input {
    /// What it is.
    pub kind: Kind,
    /// The least length asked for.
    pub bytes_min: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What is to be found.
    pub planted: Planted,
    /// The documents, without the line feed behind each.
    pub documents: Vec<Range<usize>>,
}

impl Input {
    /// Generates an input of at least that many bytes.
    pub fn new(kind: Kind, bytes_min: u64) -> Input {
        let (bytes, planted) = generate(kind, bytes_min, SEED);
        let documents = documents(&bytes, kind);
        Input { kind, bytes_min, bytes, planted, documents }
    }
}

/// In NDJSON each line is a document; printed documents end with a line that is a brace and nothing else.
fn documents(bytes: &[u8], kind: Kind) -> Vec<Range<usize>> {
    let (mut start, mut line, mut documents) = (0, 0, Vec::new());
    for (at, _) in bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'\n') {
        if kind != Kind::StripeList || &bytes[line..at] == b"}" {
            documents.push(start..at);
            start = at + 1;
        }
        line = at + 1;
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_whole_and_leave_nothing_out() {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_json()) {
            let input = Input::new(kind, 50_000);
            let len: usize = input.documents.iter().map(|document| document.len() + 1).sum();
            assert_eq!(len, input.bytes.len(), "{kind:?}");
            for document in &input.documents {
                serde_json::from_slice::<serde_json::Value>(&input.bytes[document.clone()]).unwrap();
            }
        }
    }
}
