#![forbid(unsafe_code)]
//! The samples of the corpora hold what they were planted with, and the engine finds just that.

use obelus::Redactor;
use obelus_corpora::{Kind, generate};
use obelus_tests::{folders, run};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How much of each corpus the sample of the filter holds, and with which seed.
const SAMPLED_BYTES: u64 = 2048;
const SAMPLED_SEED: u64 = 77;

/// The part of a sample's entry that matters here.
#[derive(Debug, Deserialize)]
struct Sample {
    file: String,
    expect: BTreeMap<String, usize>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    sample: Vec<Sample>,
}

#[test]
fn what_was_planted_is_found_and_nothing_else() {
    let folder = folders::workspace().join("corpora");
    let text = std::fs::read_to_string(folder.join("MANIFEST.toml")).expect("the manifest can be read");
    let manifest: Manifest = toml::from_str(&text).expect("the manifest is right");
    let redactor = Redactor::builder().build().expect("the default rules compile");
    let mut faults = Vec::new();
    for sample in &manifest.sample {
        let input = std::fs::read(folder.join(&sample.file)).expect("the sample can be read");
        let ran = run::whole(&redactor, &input);
        assert_eq!(ran.error, None, "{}", sample.file);
        run::check_outside(&input, &ran).expect("clean bytes come out as they are");
        for size in [1, 1000, 64 << 10] {
            assert!(run::in_sizes(&redactor, &input, size) == ran, "{} in pieces of {size}", sample.file);
        }
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for finding in &ran.findings {
            *counts.entry(finding.category.to_owned()).or_default() += 1;
        }
        if counts != sample.expect {
            faults.push(format!("{}\nplanted {:?}\nfound   {counts:?}", sample.file, sample.expect));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The filter is laid out by what it counts in a sample.
#[test]
fn the_sample_of_the_filter_is_some_of_each_corpus() {
    let file = folders::workspace().join("crates/detect/src/buckets/sample.txt");
    let sample = std::fs::read(file).expect("the sample can be read");
    let made = Kind::ALL.map(|kind| generate(kind, SAMPLED_BYTES, SAMPLED_SEED).0);
    let some =
        |text: &Vec<u8>| text.iter().copied().zip(0..SAMPLED_BYTES).map(|(byte, _)| byte).collect::<Vec<_>>();
    let wanted: Vec<u8> = made.iter().flat_map(some).collect();
    assert!(sample == wanted, "make it anew: for each kind `corpora KIND 2K 77 | head -c 2048`");
}
