#![forbid(unsafe_code)]
//! Next to nothing is found where nobody is.

use obelus_tests::quiet::{ALLOWED, KINDS, report};

const BYTES: u64 = 3 << 20;
const SEED: u64 = 1;

#[test]
fn at_most_one_finding_a_mebibyte_is_false() {
    for kind in KINDS {
        let report = report(kind, BYTES, SEED);
        assert!(report.is_quiet(), "{kind:?}: {} in {} bytes\n{}", report.faults, report.bytes, report.text);
    }
}

#[test]
fn every_excuse_is_for_a_rule_that_exists_and_has_a_reason() {
    let detectors = obelus_detect::Detectors::new(|_| true);
    for (rule, _, reason) in ALLOWED {
        assert!(detectors.detectors().iter().any(|detector| detector.id == *rule), "{rule}");
        assert!(!reason.is_empty());
    }
}
