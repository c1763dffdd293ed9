//! Inputs: a corpus and where its documents lie.

use obelus_corpora::{Kind, generate};
use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

const SEED: u64 = 1;

/// A corpus, or clean log lines with dense rows among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mix {
    /// As it is.
    Plain(Kind),
    /// Of a thousand bytes so many are of dense rows, the rest of clean lines.
    Rows(u16),
}

impl Mix {
    /// The name, as definitions have it: that of the corpus, or `clean+5` for five rows' bytes among a thousand.
    pub fn name(self) -> String {
        match self {
            Mix::Plain(kind) => kind.as_str().to_owned(),
            Mix::Rows(share) => format!("clean+{share}"),
        }
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Mix, String> {
        let share = text.strip_prefix("clean+").and_then(|share| share.parse().ok());
        match share.filter(|&share| share <= 1000) {
            Some(share) => Ok(Mix::Rows(share)),
            None => text.parse().map(Mix::Plain),
        }
    }
}

/// A corpus, what was planted in it, and where its documents are: rivals that parse need whole ones.
#[derive(Debug)]
pub struct Input {
    /// What it is.
    pub mix: Mix,
    /// The least length asked for.
    pub bytes_min: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What is to be found: how much of each category.
    pub planted: BTreeMap<String, u64>,
    /// The documents, without the line feed behind each.
    pub documents: Vec<Range<usize>>,
}

impl Input {
    /// Generates an input of at least that many bytes.
    pub fn new(mix: Mix, bytes_min: u64) -> Input {
        let mut planted = BTreeMap::new();
        let mut part = |kind: Kind, bytes: u64| {
            let (bytes, counts) = generate(kind, bytes, SEED);
            for (name, count) in counts.iter() {
                *planted.entry(name.to_owned()).or_default() += count;
            }
            bytes
        };
        let bytes = match mix {
            Mix::Plain(kind) => part(kind, bytes_min),
            Mix::Rows(share) => {
                let rows = bytes_min * u64::from(share) / 1000;
                mingle(
                    &part(Kind::Clean, bytes_min - rows),
                    &if rows > 0 { part(Kind::Dense, rows) } else { Vec::new() },
                )
            }
        };
        let documents = documents(&bytes, mix);
        Input { mix, bytes_min, bytes, planted, documents }
    }

    /// The same in short.
    pub(crate) fn short(&self, bytes_max: u64) -> Input {
        Input::new(self.mix, self.bytes_min.min(bytes_max))
    }

    /// The input in so many parts of whole documents, of about the same length.
    pub(crate) fn parts(&self, count: usize) -> Vec<Input> {
        let mut parts = Vec::new();
        let mut documents = self.documents.iter().peekable();
        for at in 1..=count {
            let start = documents.peek().map_or(self.bytes.len(), |document| document.start);
            let goal = self.bytes.len() / count * at;
            let mut part = Vec::new();
            while let Some(document) = documents.next_if(|document| at == count || document.end <= goal) {
                part.push(document.start - start..document.end - start);
            }
            let end = documents.peek().map_or(self.bytes.len(), |document| document.start);
            let bytes = self.bytes[start..end].to_vec();
            let planted = BTreeMap::new();
            parts.push(Input { mix: self.mix, bytes_min: self.bytes_min, bytes, planted, documents: part });
        }
        parts
    }
}

/// Lines of both, evenly.
fn mingle(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut mingled = Vec::with_capacity(one.len() + other.len());
    let mut others = other.split_inclusive(|&byte| byte == b'\n').peekable();
    let mut others_len = 0;
    for (line, end) in one.split_inclusive(|&byte| byte == b'\n').scan(0, |end, line| {
        *end += line.len();
        Some((line, *end))
    }) {
        mingled.extend_from_slice(line);
        while let Some(row) = others.next_if(|_| others_len * one.len() < other.len() * end) {
            others_len += row.len();
            mingled.extend_from_slice(row);
        }
    }
    others.for_each(|row| mingled.extend_from_slice(row));
    mingled
}

/// In NDJSON each line is a document; printed documents end with a line that is a brace and nothing else.
fn documents(bytes: &[u8], mix: Mix) -> Vec<Range<usize>> {
    let (mut start, mut line, mut documents) = (0, 0, Vec::new());
    for (at, _) in bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'\n') {
        if mix != Mix::Plain(Kind::StripeList) || &bytes[line..at] == b"}" {
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
        let plain = Kind::ALL.into_iter().filter(|kind| kind.is_json()).map(Mix::Plain);
        for mix in plain.chain([Mix::Rows(0), Mix::Rows(100), Mix::Rows(1000)]) {
            let input = Input::new(mix, 50_000);
            let len: usize = input.documents.iter().map(|document| document.len() + 1).sum();
            assert_eq!(len, input.bytes.len(), "{mix:?}");
            for document in &input.documents {
                serde_json::from_slice::<serde_json::Value>(&input.bytes[document.clone()]).unwrap();
            }
            let parts = input.parts(3);
            assert_eq!(parts.iter().map(|part| part.documents.len()).sum::<usize>(), input.documents.len());
            let bytes: Vec<&[u8]> = parts.iter().map(|part| part.bytes.as_slice()).collect();
            assert_eq!(bytes.concat(), input.bytes);
        }
    }

    #[test]
    fn rows_stand_evenly_among_lines() {
        let input = Input::new(Mix::Rows(100), 200_000);
        let rows = |bytes: &[u8]| memchr::memmem::find_iter(bytes, b"\"crm-").count();
        let (half, all) = (rows(&input.bytes[..input.bytes.len() / 2]), rows(&input.bytes));
        assert!(all > 10 && half.abs_diff(all - half) <= 2, "{half} of {all}");
    }
}
