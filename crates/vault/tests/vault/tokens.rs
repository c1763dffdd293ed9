//! Values get tokens, and tokens get their values back, from the scope that made them and from no other.

use crate::support::{LONG, Place, key, mint, open, try_mint};
use obelus::Category;
use obelus::token::{BODY_BYTES, LEN_MAX};
use obelus_vault::{Keyring, VALUE_BYTES_MAX, Vault};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Barrier;

#[test]
fn the_same_value_has_the_same_token_after_a_restart() {
    let place = Place::new();
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    for round in 0..2 {
        let vault = place.vault();
        let scope = vault.scope("shop", "chat");
        if let Some(token) = tokens.first() {
            assert_eq!(open(&scope, token).as_deref(), Some("jenny@example.com"), "round {round}");
        }
        tokens.push(mint(&scope, Category::Email, "jenny@example.com"));
        assert_eq!(tokens[0], tokens[round]);
        assert_eq!(mint(&scope.clone(), Category::Email, "jenny@example.com"), tokens[0]);
        vault.flush(LONG).unwrap();
    }
}

#[test]
fn the_end_of_a_vault_writes_what_waits() {
    let place = Place::new();
    // The last handle of all is a scope.
    let scope = place.vault().scope("shop", "chat");
    let tokens: Vec<Vec<u8>> =
        (0..200).map(|at| mint(&scope, Category::Email, &format!("a{at}@example.com"))).collect();
    drop(scope);
    let scope = place.vault().scope("shop", "chat");
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&scope, token), Some(format!("a{at}@example.com")));
    }
}

#[test]
fn tokens_have_their_form() {
    let scope = Vault::ephemeral().unwrap().scope("shop", "chat");
    let mut seen = HashSet::new();
    for &category in Category::ALL {
        let value = "a value of that category";
        let Some(token) = try_mint(&scope, category, value) else {
            assert!(matches!(category, Category::CardCvc | Category::CardNumber), "{category}");
            continue;
        };
        assert!(token.len() <= LEN_MAX);
        assert_eq!(obelus::token::parse(&token), Some((category, token.len())));
        assert!(seen.insert(body(&token)), "{category}: a body of its own");
    }
}

/// The letters at the end of a token.
fn body(token: &[u8]) -> Vec<u8> {
    token[token.len() - 2 * BODY_BYTES..].to_vec()
}

#[test]
fn other_scopes_have_other_tokens_and_open_none() {
    let place = Place::new();
    let vault = place.vault();
    let names = [("shop", "chat"), ("shop", "chat2"), ("shop2", "chat"), ("shopc", "hat"), ("", "shopchat")];
    let scopes: Vec<_> = names.iter().map(|(tenant, session)| vault.scope(tenant, session)).collect();
    let tokens: Vec<_> = scopes.iter().map(|scope| mint(scope, Category::Phone, "201-555-0123")).collect();
    vault.flush(LONG).unwrap();
    // A second vault has nothing at hand, so that the store is asked.
    let again = place.vault();
    for (at, scope) in scopes.iter().enumerate() {
        let fresh = again.scope(names[at].0, names[at].1);
        for (of, token) in tokens.iter().enumerate() {
            assert_eq!(open(scope, token).is_some(), at == of, "{at} {of}");
            assert_eq!(open(&fresh, token).is_some(), at == of, "{at} {of}");
        }
    }
}

#[test]
fn another_key_of_the_vault_opens_nothing() {
    let place = Place::new();
    let token = mint(&place.vault().scope("shop", "chat"), Category::Email, "jenny@example.com");
    for other in [key("k1", 2), key("k2", 1)] {
        let scope = place.vault_with(Keyring::new(other)).scope("shop", "chat");
        assert_eq!(open(&scope, &token), None);
        assert_ne!(mint(&scope, Category::Email, "jenny@example.com"), token);
    }
}

#[test]
fn keys_are_rotated() {
    let place = Place::new();
    let old = mint(&place.vault().scope("shop", "chat"), Category::Email, "jenny@example.com");
    let ring = || Keyring::new(key("k2", 2)).with_older(key("k1", 1)).unwrap();
    let scope = place.vault_with(ring()).scope("shop", "chat");
    let new = mint(&scope, Category::Email, "jenny@example.com");
    assert_ne!(old, new);
    for token in [&old, &new] {
        assert_eq!(open(&scope, token).as_deref(), Some("jenny@example.com"));
    }
    let text = String::from_utf8(old.clone()).unwrap();
    assert_eq!(mint(&scope, Category::TokenLike, &text), old, "a token in a history stays");
    drop(scope);
    let scope = place.vault_with(Keyring::new(key("k2", 2))).scope("shop", "chat");
    assert_eq!(open(&scope, &old), None, "the old key was taken away");
    assert_eq!(open(&scope, &new).as_deref(), Some("jenny@example.com"));
}

#[test]
fn what_must_not_return_has_no_token() {
    let scope = Vault::ephemeral().unwrap().scope("shop", "chat");
    let track_2 = ";4242424242424242=34121015432112345678?";
    for (category, value) in [
        (Category::CardCvc, "123"),
        (Category::CardCvc, "a text"),
        (Category::Secret, "1234"),
        (Category::CardNumber, track_2),
        (Category::CardNumber, "%B4242424242424242^SMITH/ALICE^34121015432112345678?"),
        (Category::CardNumber, "4242424242424242|12|34|123"),
        (Category::OtherPersonal, track_2),
        (Category::Email, ""),
        (Category::PersonName, &"a".repeat(VALUE_BYTES_MAX + 1)),
    ] {
        assert_eq!(try_mint(&scope, category, value), None, "{category} {value}");
    }
    mint(&scope, Category::CardNumber, "4242 4242 4242 4242");
    mint(&scope, Category::PersonName, &"a".repeat(VALUE_BYTES_MAX));
}

#[test]
fn what_was_done_is_counted() {
    let vault = Vault::ephemeral().unwrap();
    let scope = vault.scope("shop", "chat");
    let token = mint(&scope, Category::Email, "jenny@example.com");
    assert_eq!(try_mint(&scope, Category::CardCvc, "123"), None);
    assert!(open(&scope, &token).is_some());
    assert!(open(&scope, b"no token").is_none());
    let counts = vault.counts();
    assert_eq!((counts.minted, counts.refused, counts.opened, counts.unknown), (1, 1, 1, 1));
}

#[test]
fn a_track_does_not_get_in_piece_by_piece() {
    let scope = Vault::ephemeral().unwrap().scope("shop", "chat");
    let number = String::from_utf8(mint(&scope, Category::CardNumber, "4242424242424242")).unwrap();
    assert_eq!(try_mint(&scope, Category::OtherPersonal, &format!(";{number}=34121015432112345678?")), None);
    assert_eq!(try_mint(&scope, Category::CardNumber, &format!("{number} 123")), None);
}

#[test]
fn text_that_looks_like_a_token_comes_back_as_it_was() {
    let place = Place::new();
    let vault = place.vault();
    let scope = vault.scope("shop", "chat");
    let look_alike = "obl_email_abcdefghijklmnopabcd";
    let token = mint(&scope, Category::TokenLike, look_alike);
    assert!(token.starts_with(b"obl_token_like_"));
    assert_eq!(open(&scope, &token).as_deref(), Some(look_alike));
    assert_eq!(open(&scope, look_alike.as_bytes()), None);
    assert_eq!(mint(&scope, Category::TokenLike, look_alike), token);
    // A token of another scope is text like any other here.
    let foreign = mint(&vault.scope("shop2", "chat"), Category::Email, "jenny@example.com");
    let foreign = String::from_utf8(foreign).unwrap();
    let token = mint(&scope, Category::TokenLike, &foreign);
    assert_eq!(open(&scope, &token), Some(foreign));
}

#[test]
fn a_value_that_is_a_token_of_the_scope_stays_that_token() {
    let scope = Vault::ephemeral().unwrap().scope("shop", "chat");
    let token = mint(&scope, Category::Email, "jenny@example.com");
    let text = String::from_utf8(token.clone()).unwrap();
    for &category in Category::ALL {
        let wanted = (category != Category::CardCvc).then(|| token.clone());
        assert_eq!(try_mint(&scope, category, &text), wanted, "{category}");
    }
    let number = String::from_utf8(mint(&scope, Category::CardNumber, "4242424242424242")).unwrap();
    let spaced = mint(&scope, Category::CardNumber, &format!(" {number}"));
    assert_eq!(open(&scope, &spaced).as_deref(), Some(" 4242424242424242"));
}

#[test]
fn values_stand_in_the_place_of_tokens_before_a_longer_one_is_kept() {
    let scope = Vault::ephemeral().unwrap().scope("shop", "chat");
    let email = String::from_utf8(mint(&scope, Category::Email, "jenny@example.com")).unwrap();
    let look_alike = "obl_phone_abcdefghijklmnopabcd";
    let inner = String::from_utf8(mint(&scope, Category::TokenLike, look_alike)).unwrap();
    for (text, meant) in [
        (format!("Jenny <{email}>"), "Jenny <jenny@example.com>".to_owned()),
        (format!("{email}{email}"), "jenny@example.comjenny@example.com".to_owned()),
        (format!("{email} or {look_alike}"), format!("jenny@example.com or {look_alike}")),
        // What stands behind a token is not searched again.
        (format!("{inner}, {email}"), format!("{look_alike}, jenny@example.com")),
        (format!("obl_obl_email_{email}"), "obl_obl_email_jenny@example.com".to_owned()),
    ] {
        let token = mint(&scope, Category::OtherPersonal, &text);
        assert_eq!(open(&scope, &token).as_ref(), Some(&meant), "{text}");
        if meant.contains("obl_") {
            continue;
        }
        assert_eq!(mint(&scope, Category::OtherPersonal, &meant), token, "the same text has the same token");
    }
    // What would become too long has none.
    let long = String::from_utf8(mint(&scope, Category::PersonName, &"a".repeat(VALUE_BYTES_MAX))).unwrap();
    assert_eq!(try_mint(&scope, Category::OtherPersonal, &format!("{long}.")), None);
    assert_eq!(try_mint(&scope, Category::OtherPersonal, &format!(".{long}")), None);
}

#[test]
fn ten_thousand_guesses_find_nothing() {
    let place = Place::new();
    let vault = place.vault();
    let (scope, other) = (vault.scope("shop", "chat"), vault.scope("shop", "chat2"));
    let minted: Vec<Vec<u8>> =
        (0..40).map(|at| mint(&scope, Category::Email, &format!("a{at}@example.com"))).collect();
    let foreign: Vec<Vec<u8>> =
        (0..40).map(|at| mint(&other, Category::Email, &format!("a{at}@example.com"))).collect();
    vault.flush(LONG).unwrap();
    // The second time nothing is at hand, and the store is asked for as much as it may be.
    for scope in [scope, place.vault().scope("shop", "chat")] {
        let mut tried = 0;
        let mut fails = |token: &[u8]| {
            tried += 1;
            assert!(!scope.is_minted(token), "{}", token.escape_ascii());
        };
        for (at, token) in minted.iter().enumerate() {
            // Every sign changed to every letter, and to what no token holds.
            for place in 0..token.len() {
                for sign in *b"abcdefghijklmnopAq_0" {
                    let mut altered = token.clone();
                    altered[place] = sign;
                    if &altered != token {
                        fails(&altered);
                    }
                }
            }
            fails(&token.to_ascii_uppercase());
            fails(&foreign[at]);
            fails(&token[..token.len() - 1]);
            fails(&[token.as_slice(), b"a"].concat());
            // Half of one and half of another.
            let next = &minted[(at + 1) % minted.len()];
            for cut in 11..token.len() {
                let spliced = [&token[..cut], &next[cut..]].concat();
                if &spliced != token && &spliced != next {
                    fails(&spliced);
                }
            }
        }
        assert!(tried > 10_000, "{tried}");
        // They did not keep what is there from being found.
        place.clock.advance(std::time::Duration::from_secs(5));
        assert_eq!(open(&scope, &minted[7]).as_deref(), Some("a7@example.com"));
    }
}

#[test]
fn many_threads_make_the_same_tokens() {
    const THREADS: usize = 8;
    let place = Place::new();
    let vault = place.vault();
    let barrier = Barrier::new(THREADS);
    let of_threads: Vec<Vec<Vec<u8>>> = std::thread::scope(|threads| {
        let started: Vec<_> = (0..THREADS)
            .map(|_| {
                threads.spawn(|| {
                    let scope = vault.scope("shop", "chat");
                    barrier.wait();
                    // No more than may wait to be written at a time.
                    (0..500).map(|at| mint(&scope, Category::Email, &format!("a{at}@example.com"))).collect()
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(of_threads.iter().all(|tokens| *tokens == of_threads[0]));
    vault.flush(LONG).unwrap();
    let scope = place.vault().scope("shop", "chat");
    for (at, token) in of_threads[0].iter().enumerate() {
        assert_eq!(open(&scope, token), Some(format!("a{at}@example.com")));
    }
}

fn categories() -> impl Strategy<Value = Category> {
    proptest::sample::select(Category::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_has_a_token_comes_back(
        values in proptest::collection::vec((categories(), ".{1,80}"), 1..20),
        names in ("[a-z]{0,4}", "[a-z]{0,4}", "[a-z]{0,4}", "[a-z]{0,4}"),
    ) {
        let place = Place::new();
        let vault = place.vault();
        let ours = vault.scope(&names.0, &names.1);
        let theirs = vault.scope(&names.2, &names.3);
        let is_same = names.0 == names.2 && names.1 == names.3;
        let tokens: Vec<_> =
            values.iter().map(|(category, value)| try_mint(&ours, *category, value)).collect();
        vault.flush(LONG).unwrap();
        let again = place.vault().scope(&names.0, &names.1);
        for ((category, value), token) in values.iter().zip(&tokens) {
            let Some(token) = token else { continue };
            prop_assert_eq!(open(&ours, token), Some(value.clone()));
            prop_assert_eq!(open(&again, token), Some(value.clone()));
            prop_assert_eq!(try_mint(&again, *category, value), Some(token.clone()));
            prop_assert_eq!(open(&theirs, token).is_some(), is_same);
        }
    }

    #[test]
    fn any_text_is_asked_for_without_harm(text in proptest::collection::vec(any::<u8>(), 0..80)) {
        let scope = Vault::ephemeral().unwrap().scope("shop", "chat");
        let mut out = Vec::new();
        prop_assert!(!scope.open(&text, &mut out));
        prop_assert!(out.is_empty());
        if scope.mint(Category::OtherPersonal, &text, &mut out) {
            let mut value = Vec::new();
            prop_assert!(scope.open(&out, &mut value));
            prop_assert_eq!(value, text);
        }
    }
}
