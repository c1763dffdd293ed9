//! Addresses by what can be counted, and prose without any.

use obelus_json::Arch;

use super::words::{CLEAR, ENDINGS, RARE, STATES, USUAL};
use crate::{Carry, Category, Detectors, Piece};

fn found(text: &str) -> Vec<&str> {
    let detectors = Detectors::new(|rule| rule.category == Category::PostalAddress);
    let mut out = Vec::new();
    let piece = Piece { text: text.as_bytes(), ..Piece::default() };
    detectors.scan(Arch::scalar(), piece, &mut Carry::default(), &mut out);
    out.iter().map(|one| text.get(one.start..one.end).unwrap()).collect()
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    [&first.to_uppercase(), rest].concat()
}

#[test]
fn every_street_suffix_is_found_behind_a_number_and_a_name() {
    for suffix in CLEAR.iter().chain(USUAL) {
        for number in ["1", "45", "12345", "10-12", "221B"] {
            let street = format!("{number} Oak Ridge {}", capital(suffix));
            assert_eq!(found(&format!("left at {street}, thanks")), [street.as_str()]);
        }
    }
    for suffix in RARE {
        let street = format!("12 Oak {}", capital(suffix));
        assert_eq!(found(&format!("left at {street}, thanks")), Vec::<&str>::new());
        let whole = format!("{street}, Anytown, CA 94111");
        assert_eq!(found(&format!("left at {whole}.")), [whole.as_str()]);
    }
}

#[test]
fn every_state_with_a_zip_code_makes_a_place() {
    for state in STATES.chunks_exact(3) {
        let state = std::str::from_utf8(&state[..2]).unwrap();
        let place = format!("Anytown, {state} 94111");
        assert_eq!(found(&format!("in {place}.")), [place.as_str()]);
    }
}

#[test]
fn every_ending_of_one_word_streets_is_found_before_a_number() {
    for (ending, len_min) in ENDINGS {
        let mut street = "Beispielen".to_owned();
        street.truncate(len_min.saturating_sub(ending.len()).max(3));
        street.push_str(ending);
        let address = format!("{street} 12");
        assert_eq!(found(&format!("an der {address}, bitte")), [address.as_str()]);
    }
}

#[test]
fn lines_of_an_address_are_one_finding() {
    for address in [
        "123 Main Street\nApt. 4\nAnytown\nCA 94111",
        "Via Roma 131\n Apt. 425\n Montafia\n Italy 39767",
        "Suite 380, Anytown, Slovenia 82709",
        "P.O. Box 12\nAnytown, CA 94111",
    ] {
        assert_eq!(found(address), [address]);
    }
}

#[test]
fn prose_without_addresses_has_none() {
    for text in [
        "It took 30 days and 2 people to drive 5 miles down the road to the park.",
        "On 5 May 1979 we opened 3 New Stores in Berlin, 4 in Paris and 12 in New York.",
        "Version 2.1 of Windows 10 Drive Manager; see Chapter 3 Way Forward; Top 10 Place Names",
        "Order 12345 has 3 items; invoice 2024 is due in 14 days; room temperature is 20 degrees.",
        "2026-04-07 10:15:30 INFO worker 12 started job 45 in 230 ms with 4 threads",
        "The population of London in 2012 was 8 million; Spring 2024 brought 5 Star Reviews.",
        "Suite 5 of the tests failed, unit 12 passed, floor 3 is empty.",
        "We sold 100 Way Finders, 20 Court Shoes, and 5 Square Tables.",
        "Error 404 Not Found, Status 200 OK, Code 1234 Declined, Test 5 Passed",
        "In 1999 Wall Street fell 5 percent; 42nd Street closed for 3 hours.",
    ] {
        assert_eq!(found(text), Vec::<&str>::new(), "{text:?}");
    }
}
