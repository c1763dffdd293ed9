#![forbid(unsafe_code)]
//! The fuzz targets on stored inputs and on a fixed number of random ones.

use obelus_tests::document::document;
use obelus_tests::{folders, fuzz};
use std::fs;

/// Random inputs a target.
const ROUNDS: u64 = 400;

/// A small generator with a known sequence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap_or(0)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

fn target(name: &str) -> fuzz::Body {
    let found = fuzz::TARGETS.iter().find(|(other, _)| *other == name);
    found.map(|(_, body)| *body).expect("the target exists")
}

/// Each file in `fuzz/corpus/TARGET` and `fuzz/regressions/TARGET`.
#[test]
fn stored_inputs_break_no_promise() {
    let mut count = 0;
    for (name, body) in fuzz::TARGETS {
        for kind in ["corpus", "regressions"] {
            let folder = folders::package().join("fuzz").join(kind).join(name);
            let Ok(entries) = fs::read_dir(folder) else { continue };
            for entry in entries {
                body(&fs::read(entry.expect("the folder can be read").path()).expect("the file can be read"));
                count += 1;
            }
        }
    }
    assert!(count > 0, "no stored input was found");
}

#[test]
fn the_lexer_keeps_its_promises_on_nearly_valid_input() {
    let mut random = Random(0x0B31_0501);
    for _ in 0..ROUNDS * 4 {
        let len = random.below(120);
        let mut input = document(&random.bytes(len));
        spoil(&mut random, &mut input);
        input.truncate(600);
        input.insert(0, random.next().to_le_bytes()[0]);
        target("lexer")(&input);
    }
}

#[test]
fn cuts_change_nothing_on_nearly_valid_input() {
    let mut random = Random(0x0B31_0502);
    for _ in 0..ROUNDS {
        let len = random.below(200);
        let mut input = random.bytes(5);
        let mut document = document(&random.bytes(len));
        spoil(&mut random, &mut document);
        input.extend_from_slice(&document);
        target("chunking")(&input);
    }
}

#[test]
fn the_engine_agrees_with_the_reference_on_random_documents() {
    let mut random = Random(0x0B31_0503);
    for _ in 0..ROUNDS * 4 {
        let len = random.below(300);
        target("stream_vs_reference")(&random.bytes(len));
    }
}

#[test]
fn spoiled_rule_files_are_refused_or_work() {
    let mut random = Random(0x0B31_0504);
    for _ in 0..ROUNDS / 8 {
        let text = fuzz::spoiled_rules(obelus_fields::GENERIC, &random.bytes(24));
        target("rule_compile")(text.as_bytes());
    }
}

/// Changes up to three bytes, or none.
fn spoil(random: &mut Random, input: &mut Vec<u8>) {
    const BYTES: &[u8] = b"\"\\{}[],:0-eut \n\x00\x1F\x80\xC3\xE2\xED\xF0\xFF";
    for _ in 0..random.below(4) {
        let at = random.below(input.len() + 1);
        let byte = BYTES[random.below(BYTES.len())];
        match random.below(3) {
            0 if at < input.len() => input[at] = byte,
            1 if at < input.len() => drop(input.remove(at)),
            _ => input.insert(at, byte),
        }
    }
}
