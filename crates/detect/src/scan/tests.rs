//! The findings of a text do not depend on how it is cut.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::BEHIND_MAX;

/// Every detector.
static EVERY: LazyLock<Detectors> = LazyLock::new(|| Detectors::new(|_| true));

fn whole(detectors: &Detectors, text: &[u8]) -> Vec<Match> {
    let mut out = Vec::new();
    let piece = Piece { text, ..Piece::default() };
    detectors.scan(Arch::detect(), piece, &mut Carry::default(), &mut out);
    out
}

/// The findings when the text arrives up to each of `cuts` in turn; nothing longer than it must be is kept.
fn cut(detectors: &Detectors, text: &[u8], cuts: &[usize]) -> Vec<Match> {
    let mut all: Vec<Match> = Vec::new();
    let mut carry = Carry::default();
    let mut settled = 0usize;
    for &end in cuts.iter().chain([&text.len()]) {
        let open = end < text.len();
        let begin = settled.saturating_sub(BEHIND_MAX);
        let piece = Piece { text: &text[begin..end], from: settled - begin, open, ..Piece::default() };
        let mut out = Vec::new();
        let at = begin + detectors.scan(Arch::detect(), piece, &mut carry, &mut out);
        assert!(at >= settled && at <= end);
        for found in out {
            let found = Match { start: found.start + begin, end: found.end + begin, ..found };
            assert!(found.start >= settled && found.end <= at, "reported only when final");
            all.push(found);
        }
        settled = at;
    }
    assert_eq!(settled, text.len());
    all
}

fn assert_cuts_do_not_matter(detectors: &Detectors, text: &[u8], cuts: &[usize]) {
    let (one, many) = (whole(detectors, text), cut(detectors, text, cuts));
    assert_eq!(many, one, "cut at {cuts:?}: {:?}", std::str::from_utf8(text));
    assert!(one.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(one.iter().all(|found| found.start < found.end));
}

fn examples() -> Vec<String> {
    let texts = |detector: &Detector| {
        detector
            .examples
            .iter()
            .chain(detector.non_examples)
            .map(|example| example.text())
            .collect::<Vec<_>>()
    };
    ALL.iter().copied().flatten().flat_map(texts).collect()
}

#[test]
fn examples_are_found_however_they_are_cut() {
    let detectors = &*EVERY;
    let padding = "é some words to fill the space between, 123 and more of them ".repeat(3);
    let mut everything = String::new();
    for example in examples() {
        let text = [&example, " ", &padding].concat();
        for first in 0..=text.len() {
            assert_cuts_do_not_matter(detectors, text.as_bytes(), &[first]);
        }
        let bytewise: Vec<usize> = (0..text.len()).collect();
        assert_cuts_do_not_matter(detectors, text.as_bytes(), &bytewise);
        everything.push_str(&example);
        everything.push(' ');
    }
    let bytewise: Vec<usize> = (0..everything.len()).collect();
    assert_cuts_do_not_matter(detectors, everything.as_bytes(), &bytewise);
    for first in (0..everything.len()).step_by(everything.len() / 500) {
        for second in (first..everything.len()).step_by(everything.len() / 12) {
            assert_cuts_do_not_matter(detectors, everything.as_bytes(), &[first, second]);
        }
    }
}

#[test]
fn long_secrets_are_covered_alike_however_they_are_cut() {
    let detectors = &*EVERY;
    let key = ["sk", "_live_", &"0a".repeat(9000)].concat();
    let token = ["eyJ", "hbGciOiJub25lIn0.", "eyJ", &"zdWIi".repeat(4000), ".", &"c2ln".repeat(500)].concat();
    let pem = ["-----BEGIN ", "PRIVATE KEY-----\n", &"QUJDQUJDQUJDQUJD é\n".repeat(900)].concat();
    let mail = "a@b.example.com,".repeat(400);
    let ips = "1.2.3.4@x.example.com:".repeat(100);
    for text in [&key, &token, &pem, &mail, &ips] {
        let text = [text.as_str(), " jane@example.com +1 415 555 0123 ", &key, "\u{e9}", &mail].concat();
        for step in [1usize, 61, 509, 1021, 4099, 8209] {
            if step == 1 && text.len() > 20_000 {
                continue;
            }
            let cuts: Vec<usize> = (0..text.len()).step_by(step).collect();
            assert_cuts_do_not_matter(detectors, text.as_bytes(), &cuts);
        }
    }
}

#[test]
fn matches_that_overlap_become_clusters_of_bounded_length() {
    let detectors = &*EVERY;
    let text = "4242424242424242@a.example.com:".repeat(200);
    let found = whole(detectors, text.as_bytes());
    assert!(found.iter().all(|found| found.end - found.start < CLUSTER_LEN + 300));
}

#[test]
fn an_undecided_candidate_keeps_what_it_may_reach_back_to() {
    let detectors = &*EVERY;
    let text = ["é", "glpat", "-0123456789abcdefghijjosé@exämple.com and the rest of the text"].concat();
    let ends: Vec<usize> = (30..text.len()).collect();
    assert_cuts_do_not_matter(detectors, text.as_bytes(), &ends);
}

#[test]
fn a_release_is_never_inside_a_character() {
    let detectors = &*EVERY;
    let text = "é例".repeat(200);
    for len in 0..text.len() {
        let piece = Piece { text: &text.as_bytes()[..len], open: true, ..Piece::default() };
        let at = detectors.scan(Arch::scalar(), piece, &mut Carry::default(), &mut Vec::new());
        assert!(text.is_char_boundary(at));
    }
}

#[test]
fn clean_text_is_released_but_for_the_reach_of_detectors() {
    let detectors = &*EVERY;
    let text = "nothing to see here, ".repeat(100);
    let piece = Piece { text: text.as_bytes(), open: true, ..Piece::default() };
    let at = detectors.scan(Arch::detect(), piece, &mut Carry::default(), &mut Vec::new());
    assert_eq!(text.get(at..), Some("see here, "));
}

#[test]
fn a_selection_leaves_the_others_out() {
    let detectors = Detectors::new(|detector| detector.category == crate::Category::Email);
    assert!(detectors.detectors().iter().all(|detector| detector.id.starts_with("email")));
    assert_eq!(whole(&detectors, b"jane@example.com 4242424242424242").len(), 1);
    assert!(detectors.number(b"4242424242424242").is_none());
    let all = Detectors::new(|_| true);
    let rule = all.number(b"4242424242424242").map(|rule| all.detectors()[usize::from(rule)].id);
    assert_eq!(rule, Some("card-number"));
    assert!(all.number(b"1700000000").is_none());
}

#[test]
fn nothing_of_the_text_shows_in_debug_output() {
    let piece = Piece { text: b"jane@example.com", ..Piece::default() };
    assert!(!format!("{piece:?}").contains("106"));
    assert!(!format!("{:?}", View::new(piece.text, 0, 9, false)).contains("106"));
}

/// Pieces of examples, glued at random: what detectors almost find.
fn fragments() -> impl Strategy<Value = String> {
    let parts: Vec<String> = examples();
    let piece =
        (0..parts.len(), 0..400usize, 0..400usize, 0..4u8).prop_map(move |(idx, head, tail, glue)| {
            let signs: Vec<char> = parts[idx].chars().collect();
            let head = head % (signs.len() + 1);
            let tail = if glue < 2 { signs.len() } else { head + tail % (signs.len() + 1 - head) };
            let head = if glue == 0 { 0 } else { head };
            let mut text: String = signs[head..tail].iter().collect();
            text.push_str(["", " ", ": ", "é"][usize::from(glue)]);
            text
        });
    prop::collection::vec(piece, 1..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn findings_do_not_depend_on_cuts(
        text in fragments(),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let detectors = &*EVERY;
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        assert_cuts_do_not_matter(detectors, text.as_bytes(), &cuts);
    }

    #[test]
    fn what_cannot_match_at_a_glance_does_not(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec!["sk_live_", "sk_test_", "whsec_", "_secret_", "glpat", "key", "cvc", "ssn"]),
                prop::sample::select(vec!["_", "a", "deadbeef", "token", "password", "bearer", "eyjhbgciok"]),
            ],
            0..5,
        ),
    ) {
        let text: String = pieces.concat().chars().take(20).collect();
        prop_assert!(
            Detectors::may_match(text.as_bytes()) || whole(&EVERY, text.as_bytes()).is_empty()
        );
    }

    #[test]
    fn any_bytes_at_all_are_read_without_fault(
        text in prop::collection::vec(prop::sample::select(&b"04 -.@:+(eyJ\xc3\xa9\xf0[]bB%2\n"[..]), 0..600),
        cut in any::<prop::sample::Index>(),
    ) {
        let detectors = &*EVERY;
        let text = text.into_iter().collect::<Vec<u8>>();
        assert_cuts_do_not_matter(detectors, &text, &[cut.index(text.len() + 1)]);
    }
}

/// The street is cut off before `X`; what stands before that was settled.
#[test]
fn a_match_that_reaches_too_far_back_is_found_however_it_is_cut() {
    let text = "DEA agents X AB12345 Apt 4, Anytown, CA 94111. 123-45 6789 ";
    assert!(whole(&EVERY, text.as_bytes()).iter().any(|found| found.start == 11));
    for first in 0..=text.len() {
        assert_cuts_do_not_matter(&EVERY, text.as_bytes(), &[first]);
    }
}
