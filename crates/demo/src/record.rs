//! What the provider saw.

use crate::json::{Json, object};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A request as it arrived.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names, in lower case, and values, in the order in which they came; a value that is not ASCII is empty.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Recorded {
    /// The value of the first header of a name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, if it is text.
    pub fn text(&self) -> Option<&str> {
        str::from_utf8(&self.body).ok()
    }

    fn json(&self) -> Json {
        let header = |(name, value): &(String, String)| Json::Array(vec![name.into(), value.into()]);
        object! {
            "method": &self.method,
            "path": &self.path,
            "headers": self.headers.iter().map(header).collect::<Vec<Json>>(),
            "body": self.text(),
            "bytes": self.body.len(),
        }
    }
}

/// Shows where a request went, not what it held.
impl fmt::Debug for Recorded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Recorded").field("method", &self.method).finish_non_exhaustive()
    }
}

/// How many bytes of bodies are kept.
const BYTES_MAX: usize = 64 << 20;

/// The last requests. Older ones give way.
pub(crate) struct Record {
    requests: Mutex<VecDeque<Recorded>>,
    max: usize,
}

impl Record {
    pub(crate) fn new(max: usize) -> Record {
        Record { requests: Mutex::new(VecDeque::new()), max }
    }

    pub(crate) fn add(&self, make: impl FnOnce() -> Recorded) {
        if self.max == 0 {
            return;
        }
        let recorded = make();
        let mut requests = self.lock();
        let mut bytes = recorded.body.len() + requests.iter().map(|one| one.body.len()).sum::<usize>();
        while requests.len() >= self.max || bytes > BYTES_MAX {
            let Some(oldest) = requests.pop_front() else {
                break;
            };
            bytes -= oldest.body.len();
        }
        requests.push_back(recorded);
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.lock().iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    pub(crate) fn json(&self) -> Json {
        Json::Array(self.lock().iter().map(Recorded::json).collect())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Recorded>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_give_way() {
        let record = Record::new(10);
        let one = |len: usize| Recorded {
            method: String::new(),
            path: String::new(),
            headers: Vec::new(),
            body: vec![0; len],
        };
        for len in [1, BYTES_MAX / 2, BYTES_MAX / 2, 5] {
            record.add(|| one(len));
        }
        let kept: Vec<usize> = record.all().iter().map(|one| one.body.len()).collect();
        assert_eq!(kept, [BYTES_MAX / 2, 5]);
    }
}
