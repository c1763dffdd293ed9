//! Each rule by its examples, and by what can be generated or counted.

use std::sync::LazyLock;

use obelus_json::Arch;
use obelus_json::filter::Filter;

use crate::detector::{AHEAD_MAX, BEHIND_MAX, Find, Triggers};
use crate::tables::{calling_codes, iban_lengths};
use crate::{Carry, Detectors, Match, Piece};

fn scan(detectors: &Detectors, text: &str) -> Vec<Match> {
    let mut out = Vec::new();
    let piece = Piece { text: text.as_bytes(), ..Piece::default() };
    let end = detectors.scan(Arch::scalar(), piece, &mut Carry::default(), &mut out);
    assert_eq!(end, text.len());
    out
}

/// The findings of all detectors as rule and text.
fn found<'t>(detectors: &Detectors, text: &'t str) -> Vec<(&'static str, &'t str)> {
    let all = scan(detectors, text);
    let rule = |found: &Match| detectors.detectors()[usize::from(found.rule)].id;
    all.iter().map(|one| (rule(one), text.get(one.start..one.end).unwrap())).collect()
}

fn everything() -> &'static Detectors {
    static EVERY: LazyLock<Detectors> = LazyLock::new(|| Detectors::new(|_| true));
    &EVERY
}

#[test]
fn each_detector_finds_its_examples_alone_and_among_all() {
    let all = everything();
    for detector in all.detectors() {
        assert!(!detector.examples.is_empty(), "{} has no example", detector.id);
        let alone = Detectors::new(|other| other.id == detector.id);
        for example in detector.examples {
            let text = example.text();
            let wanted = vec![(detector.id, text.get(example.span()).unwrap())];
            assert_eq!(found(&alone, &text), wanted, "{} alone in {text:?}", detector.id);
            assert_eq!(found(all, &text), wanted, "all in {text:?}");
        }
    }
}

#[test]
fn no_detector_finds_anything_in_its_non_examples() {
    for detector in everything().detectors() {
        let alone = Detectors::new(|other| other.id == detector.id);
        for example in detector.non_examples {
            assert_eq!(found(&alone, &example.text()), [], "{} in {:?}", detector.id, example.text());
        }
    }
}

#[test]
fn limits_of_detectors_keep_to_those_of_the_scan() {
    let mut ids: Vec<&str> = Vec::new();
    for detector in everything().detectors() {
        assert!(detector.behind + detector.lead <= BEHIND_MAX, "{}", detector.id);
        assert!(detector.ahead <= AHEAD_MAX, "{}", detector.id);
        assert!(detector.swallow.is_none() || detector.ahead >= 512 + detector.lead, "{}", detector.id);
        assert!(!ids.contains(&detector.id), "{} twice", detector.id);
        assert!(
            detector
                .id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        );
        ids.push(detector.id);
    }
}

#[test]
fn a_text_that_needs_no_redaction_has_no_finding() {
    let all = everything();
    for text in [
        "order 4242424242424241 fails the checksum",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "version 10.2.3.4-beta and v1.2.3",
        "def f(x): return x @ y  # matmul",
        "@dataclass and @app.route('/x')",
        "color #4242ff and #123456",
        "the token <EMAIL_1> is documentation text",
        "regex ^[^@]+@[^@]+$ matches mail",
        "SSN field is empty: ___-__-____",
        "call 911 or extension 42",
        "matrix 1234 5678 9012 3456 0000",
        "invoice 000-00-0000 placeholder",
        "localhost:8080 and 127.0.0.1",
        "2026-04-07T10:15:30.123456Z 20260407101530 1747731000 1747731000123",
        "evt_1NG8Du2eZvKYlo2CUI79vXWy pi_3MtwBwLkdIwHu7ix28a3tqPa cus_NffrFeUfNV2Hib",
        "pm_card_visa_chargeDeclined tok_visa btok_us_verified pm_usBankAccount",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "[email] [card-number] [secret] [us-ssn] [phone] [ip-address] [iban] [card-cvc] [url-credential]",
    ] {
        assert_eq!(found(all, text), [], "{text:?}");
    }
}

#[test]
fn what_stands_in_place_of_findings_is_not_found_again() {
    let all = everything();
    for detector in all.detectors() {
        for example in detector.examples {
            let text = example.text();
            let (head, tail) =
                (text.get(..example.span().start).unwrap(), text.get(example.span().end..).unwrap());
            let value = text.get(example.span()).unwrap();
            let label = detector.category.label();
            let hash = format!("{}:ponmlkjihgfedcbaabcdefgh]", label.trim_end_matches(']'));
            let mask = crate::mask(detector.category, value);
            assert_eq!(mask.chars().count(), value.chars().count());
            let general = crate::generalise(detector.category, value);
            for put in [label.to_owned(), hash, mask].into_iter().chain(general) {
                let redacted = [head, &put, tail].concat();
                assert_eq!(found(all, &redacted), [], "{redacted:?}");
            }
        }
    }
}

#[test]
fn windows_hold_wherever_an_example_is_found() {
    // A bucket that never reports would hide its detectors from a caller who looks for candidates first.
    let all = everything();
    let filter: &Filter = all.filter();
    for detector in all.detectors() {
        for example in detector.examples {
            let text = [&example.text(), "\",\"next\":1}"].concat();
            let any = (0..text.len()).any(|at| filter.buckets_at(text.as_bytes(), at) != 0);
            assert!(any, "{}", detector.id);
        }
    }
}

/// The last digit of `value`.
fn digit(value: usize) -> char {
    char::from(b"0123456789"[value % 10])
}

/// `body` and the digit that makes it pass the card checksum.
fn with_luhn(body: &str) -> String {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(idx, byte)| {
            let digit = u32::from(byte - b'0');
            if idx % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

#[test]
fn cards_of_every_network_length_and_separator_are_found() {
    let all = everything();
    let networks: &[(&str, &[usize])] = &[
        ("4", &[13, 16, 19]),
        ("51", &[16]),
        ("55", &[16]),
        ("2221", &[16]),
        ("2720", &[16]),
        ("34", &[15]),
        ("37", &[15]),
        ("6011", &[16, 19]),
        ("644", &[16]),
        ("65", &[16]),
        ("300", &[14, 16]),
        ("36", &[14, 16]),
        ("38", &[14]),
        ("3528", &[16]),
        ("3589", &[16]),
        ("62", &[16, 17, 18, 19]),
    ];
    for (prefix, lens) in networks {
        for &len in *lens {
            for seed in 0..20 {
                let filler: String =
                    (0..len - 1 - prefix.len()).map(|idx| digit(idx * 7 + seed * 3)).collect();
                let card = with_luhn(&[*prefix, &filler].concat());
                assert_eq!(found(all, &card), [("card-number", card.as_str())]);
                let wrong =
                    format!("{}{}", card.get(..len - 1).unwrap(), (card.as_bytes()[len - 1] - b'0' + 1) % 10);
                assert_eq!(found(all, &wrong), []);
                for gap in [" ", "-", ".", "_", "\n"] {
                    let grouped = grouped(&card, gap);
                    let text = format!("pay {grouped}, ok");
                    assert_eq!(found(all, &text), [("card-number", grouped.as_str())], "{text:?}");
                }
            }
        }
    }
}

/// Groups as cards of that length are printed, or fours.
fn grouped(card: &str, gap: &str) -> String {
    let sizes: &[usize] = match card.len() {
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        _ => &[4, 4, 4, 4, 4],
    };
    let mut rest = card;
    let mut groups = Vec::new();
    for &size in sizes {
        let (group, tail) = rest.split_at(size.min(rest.len()));
        rest = tail;
        groups.push(group);
    }
    groups.retain(|group| !group.is_empty());
    groups.join(gap)
}

#[test]
fn every_serial_of_a_social_security_number_is_found_but_zero() {
    let all = everything();
    for serial in 0..10_000 {
        for text in [
            format!("123-45-{serial:04}"),
            format!("ssn 123 45 {serial:04}."),
            format!("ssn: 12345{serial:04}"),
        ] {
            assert_eq!(found(all, &text).len(), usize::from(serial != 0), "{text}");
        }
    }
}

#[test]
fn an_iban_of_every_country_is_found_and_one_with_other_check_digits_is_not() {
    let all = everything();
    for &(country, len) in iban_lengths::LENGTHS {
        let country = String::from_utf8(country.to_vec()).unwrap();
        let body: String = (0..usize::from(len) - 4).map(|idx| digit(idx * 3)).collect();
        let valid = |check: u32| {
            let digits: String = format!("{body}{country}{check:02}")
                .chars()
                .map(|sign| sign.to_digit(36).unwrap().to_string())
                .collect();
            digits.bytes().fold(0, |rest, byte| (rest * 10 + u32::from(byte - b'0')) % 97) == 1
        };
        let ibans = Detectors::new(|detector| detector.id == "iban");
        for check in 2..=98 {
            let iban = format!("{country}{check:02}{body}");
            assert_eq!(found(&ibans, &iban).len(), usize::from(valid(check)), "{iban}");
            if valid(check) {
                let groups: Vec<String> = iban
                    .as_bytes()
                    .chunks(4)
                    .map(|group| String::from_utf8(group.to_vec()).unwrap())
                    .collect();
                let spaced = groups.join(" ");
                assert_eq!(found(all, &spaced), [("iban", spaced.as_str())]);
            }
        }
    }
}

#[test]
fn a_number_behind_every_calling_code_is_found() {
    let all = everything();
    for (code, digits) in calling_codes::all() {
        let national: String = (0..digits).map(|idx| digit(2 + idx % 8)).collect();
        let compact = format!("+{code}{national}");
        assert_eq!(found(all, &compact), [("phone", compact.as_str())]);
        let spaced = format!("+{code} {national}");
        assert_eq!(found(all, &format!("call {spaced}.")), [("phone", spaced.as_str())]);
    }
}

#[test]
fn every_octet_of_an_address_counts() {
    let all = everything();
    for octet in 0..400 {
        let text = format!("203.0.113.{octet}");
        assert_eq!(found(all, &text).len(), usize::from(octet < 256), "{text}");
    }
}

#[test]
fn overlapping_findings_become_one() {
    let all = everything();
    let key = ["sk", "_live_", "0123456789abcdef"].concat();
    for (text, wanted) in [
        ("4242424242424242@example.com".to_owned(), "card-number"),
        (format!("postgres://user:{key}@db.example.com"), "url-credentials"),
        (format!("Authorization: Bearer {key}"), "stripe-secret-key"),
        ("::ffff:192.0.2.128".to_owned(), "ipv6"),
    ] {
        let rules: Vec<&str> = found(all, &text).iter().map(|(rule, _)| *rule).collect();
        assert_eq!(rules, [wanted], "{text}");
    }
    assert_eq!(found(all, "4242424242424242@example.com")[0].1, "4242424242424242@example.com");
}

#[test]
fn a_secret_beyond_reach_is_covered_to_its_end() {
    let all = everything();
    for len in [1000, 1016, 1017, 5000, 5111, 5112, 5113, 20_000] {
        let key = ["sk", "_live_", &"0a".repeat(len / 2), "."].concat();
        let matches = scan(all, &key);
        assert_eq!(matches[0].start, 0);
        assert_eq!(matches.last().unwrap().end, key.len() - 1, "{len}");
        assert!(matches.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
    let pem = ["-----BEGIN ", "PRIVATE KEY-----\n", &"QUJDQUJDQUJDQUJD é\n".repeat(4000)].concat();
    assert_eq!(scan(all, &pem).last().unwrap().end, pem.len());
}

#[test]
fn every_literal_of_a_secret_is_found_with_a_body_and_not_alone() {
    let all = everything();
    let filler = "0a1B2c3D4e5F6a7B8c9D".repeat(16);
    for detector in all.detectors() {
        let (Triggers::Literals(literals), Find::Token(body)) = (detector.triggers, detector.find) else {
            continue;
        };
        for literal in literals {
            let literal = std::str::from_utf8(literal).unwrap();
            let fits = |byte: &u8| body.class.has(*byte);
            let bytes: Vec<u8> = filler.bytes().filter(fits).take(body.len_min).collect();
            let secret = [literal, &String::from_utf8(bytes).unwrap()].concat();
            let text = format!("use {secret} now");
            let spans: Vec<&str> = found(all, &text).iter().map(|(_, found)| *found).collect();
            assert_eq!(spans, [secret.as_str()], "{} in {text}", detector.id);
            assert_eq!(found(all, &format!("use {literal} now")), [], "{literal} alone");
            let glued = format!("usex{secret} now");
            assert!(found(all, &glued).iter().all(|(rule, _)| *rule != detector.id), "{literal} in a word");
        }
    }
}

#[test]
fn cards_of_every_issuer_in_the_table_are_found() {
    let all = everything();
    let mut count = 0;
    for prefix in 1000..10_000 {
        let card = with_luhn(&format!("{prefix}00112233445"));
        let digits: Vec<u8> = card.bytes().map(|byte| byte - b'0').collect();
        if super::card::is_card_number(card.as_bytes()) {
            count += 1;
            assert_eq!(digits.len(), 16);
            assert_eq!(found(all, &format!("pay {card}.")), [("card-number", card.as_str())]);
        }
        let labelled = format!("card number: {card}.");
        let seven = prefix / 1000 == 7;
        assert_eq!(found(all, &labelled).len(), usize::from(!seven), "{labelled}");
    }
    assert!(count > 2000, "{count}");
}

#[test]
fn a_number_behind_every_calling_code_is_found_behind_zeros_and_with_an_extension() {
    let all = everything();
    for (code, digits) in calling_codes::all() {
        // A window sees eleven characters: the shortest numbers do not fill it behind zeros.
        let national: String = (0..digits.max(7)).map(|idx| digit(2 + idx % 8)).collect();
        let (area, line) = national.split_at(2);
        for number in [format!("00{code}-{area}-{line}"), format!("+{code} {area} {line} ext. 12")] {
            assert_eq!(found(all, &format!("call {number}.")), [("phone", number.as_str())]);
        }
    }
}
