//! Check digits by counting: what is refused, and how often chance passes.

use obelus_json::Arch;

use super::check::{complement_10, hybrid, luhn, strict_11, verhoeff};
use super::*;
use crate::detectors::ALL;
use crate::{Carry, Detectors, Piece};

/// Pseudo-random numbers, the same in every run.
struct Seed(u64);

impl Seed {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).unwrap() % limit
    }

    /// An id of the form; separators that may be left out are.
    fn id(&mut self, form: &str) -> String {
        let mut any = |signs: &[u8]| char::from(signs[self.below(signs.len())]);
        form.chars()
            .filter(|sign| *sign != '~')
            .map(|sign| match sign {
                'd' | '#' => any(b"0123456789"),
                'u' => any(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                'n' => any(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                other => other,
            })
            .collect()
    }
}

fn kinds() -> impl Iterator<Item = (&'static Detector, Kind)> {
    let kind = |detector: &'static Detector| match detector.find {
        Find::Kind(kind) => Some((detector, kind)),
        _ => None,
    };
    ALL.iter().copied().flatten().filter_map(kind)
}

fn compact(id: &str) -> Vec<u8> {
    id.bytes().filter(u8::is_ascii_alphanumeric).collect()
}

/// `digits` with another digit at `idx`.
fn changed(digits: &[u8], idx: usize, by: u8) -> Vec<u8> {
    let mut other = digits.to_vec();
    other[idx] = b'0' + (other[idx] - b'0' + by) % 10;
    other
}

#[test]
fn schemes_that_promise_it_refuse_every_single_digit_changed() {
    let threes = |id: &[u8]| complement_10(id, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    let eleven = |id: &[u8]| strict_11(id, &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let schemes: [(Check, usize); 7] = [
        (luhn, 14),
        (verhoeff, 12),
        (hybrid, 11),
        (threes, 11),
        (eleven, 10),
        (europe_checks::be_eid, 12),
        (europe_checks::no_personal, 11),
    ];
    let mut seed = Seed(7);
    for (nth, (check, len)) in schemes.into_iter().enumerate() {
        let mut valid = 0;
        while valid < 20 {
            let id = seed.id(&"d".repeat(len)).into_bytes();
            if !check(&id) {
                continue;
            }
            valid += 1;
            for idx in 0..len {
                for by in 1..10 {
                    assert!(!check(&changed(&id, idx, by)), "scheme {nth}: {id:?} at {idx}");
                }
            }
        }
    }
}

#[test]
fn verhoeff_refuses_neighbours_that_changed_places() {
    let mut seed = Seed(8);
    let valid: Vec<Vec<u8>> =
        (0..2000).map(|_| seed.id(&"d".repeat(12)).into_bytes()).filter(|id| verhoeff(id)).collect();
    assert!(valid.len() > 100);
    for id in valid {
        for idx in (1..12).filter(|&idx| id[idx - 1] != id[idx]) {
            let mut other = id.clone();
            other.swap(idx - 1, idx);
            assert!(!verhoeff(&other));
        }
    }
}

#[test]
fn every_check_lets_some_ids_pass_and_refuses_most() {
    // What has no check digit but a date or a range, or few of them.
    const LOOSE: [&str; 10] = [
        "us-mbi",
        "us-itin",
        "dk-cpr",
        "in-pan",
        "my-nric",
        "id-nik",
        "eg-national-id",
        "kr-rrn",
        "in-gstin",
        "gb-nino",
    ];
    let mut seed = Seed(9);
    for (detector, kind) in kinds().filter(|(_, kind)| !kind.forms.is_empty()) {
        let Some(check) = kind.check else { continue };
        let tries = 20_000;
        let mut passes = |idx: usize| check(&compact(&seed.id(kind.forms[idx % kind.forms.len()])));
        let passed = (0..tries).filter(|&idx| passes(idx)).count();
        assert!(passed > 0 || (0..5_000_000).any(passes), "{} never passes", detector.id);
        let limit = if LOOSE.contains(&detector.id) { tries } else { tries / 4 };
        assert!(passed < limit, "{} passes {passed} of {tries}", detector.id);
    }
}

#[test]
fn what_stands_alone_comes_by_chance_once_in_96_times_at_most() {
    // Their groups and letters at fixed places are a form of their own. Where numbers of other things have such
    // groups now and then, check digits must be right as well.
    const BY_FORM: [&str; 5] = ["us-mbi", "us-itin", "gb-nino", "in-gstin", "in-pan"];
    const BY_FORM_AND_CHECK: [&str; 14] = [
        "ca-sin",
        "se-organisation-number",
        "es-dni",
        "sg-uen",
        "au-medicare",
        "in-aadhaar",
        "jp-my-number",
        "jp-corporate-number",
        "kr-brn",
        "pl-nip",
        "th-id",
        "id-npwp",
        "cl-rut",
        "pt-cc",
    ];
    let mut seed = Seed(10);
    for (detector, kind) in kinds().filter(|(detector, _)| !BY_FORM.contains(&detector.id)) {
        for &(form, check) in kind.bare {
            let tries = 40_000;
            let passed = (0..tries).filter(|_| check(&compact(&seed.id(form)))).count();
            // A letter or digit that the form fixes would be another one nearly always.
            let fixed: u64 = form
                .bytes()
                .map(|sign| match sign {
                    b'A'..=b'Z' => 26,
                    b'0'..=b'9' => 10,
                    _ => 1,
                })
                .product();
            let odds = if BY_FORM_AND_CHECK.contains(&detector.id) { 9 } else { 85 };
            let limit = tries as u64 * fixed / odds;
            assert!(passed as u64 <= limit, "{} {form}: {passed} of {tries}", detector.id);
        }
    }
}

#[test]
fn an_id_of_every_kind_is_found_behind_its_word_in_any_grouping() {
    let mut seed = Seed(11);
    for (detector, kind) in kinds() {
        let alone = Detectors::new(|other| other.id == detector.id);
        let Some(label) = kind.labels.iter().find(|label| !label.starts_with(['!', '?', '@', '&'])) else {
            continue;
        };
        for form in
            kind.forms.iter().filter(|form| form.len() > 6 && form.bytes().all(|sign| b"d#~".contains(&sign)))
        {
            let valid = (0..2_000_000).map(|_| seed.id(form)).find(|id| {
                kind.check.is_none_or(|check| check(&compact(id))) && compact(id)[6].is_ascii_digit()
            });
            let Some(id) = valid else { panic!("{} {form}", detector.id) };
            let text = format!("The {label} number is {id}, thanks");
            let mut out = Vec::new();
            let piece = Piece { text: text.as_bytes(), ..Piece::default() };
            alone.scan(Arch::scalar(), piece, &mut Carry::default(), &mut out);
            let found: Vec<&str> = out.iter().filter_map(|found| text.get(found.start..found.end)).collect();
            assert_eq!(found, [id.as_str()], "{} in {text:?}", detector.id);
        }
    }
}

#[test]
fn a_word_is_believed_only_directly_before_an_id() {
    let all = Detectors::new(|_| true);
    for (text, wanted) in [
        ("CPF 11144477736", 1),
        ("the CPF belongs to somebody else, 11144477736", 0),
        ("the CPF belongs to somebody else, 11144477735", 1),
        ("SIREN 404833049", 0),
        ("SIREN 404833048", 1),
        ("account 123456789", 0),
        ("bank account 123456789, sort code 10-88-00", 2),
        ("order ID number 123456789", 0),
        ("ID number 123456789", 1),
        ("australia: 123 456 782", 1),
        ("from australia with 123 456 782", 0),
        ("nino QQ123456C", 1),
        ("cpfs 11144477735 and scpf 11144477735", 0),
    ] {
        let mut out = Vec::new();
        let piece = Piece { text: text.as_bytes(), ..Piece::default() };
        all.scan(Arch::scalar(), piece, &mut Carry::default(), &mut out);
        assert_eq!(out.len(), wanted, "{text:?}");
    }
}
