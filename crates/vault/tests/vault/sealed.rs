//! Tokens that hold their values: opened by whoever has the key, in the same scope, without a store.

use crate::support::{Place, key, mint, open, try_mint};
use obelus::Category;
use obelus::token::{self, LEN_MAX, SEALED_VALUE_BYTES_MAX};
use obelus_vault::{Keyring, Settings, TokenForm, VALUE_BYTES_MAX, Vault};
use proptest::prelude::*;
use std::collections::HashSet;

/// A vault that shares nothing with others but its keys.
fn vault(keys: Keyring) -> Vault {
    let settings = Settings { form: TokenForm::Sealed, ..Settings::default() };
    Vault::new(keys, None, settings).expect("it needs no threads")
}

fn of(byte: u8) -> Vault {
    vault(Keyring::new(key("k1", byte)))
}

#[test]
fn another_vault_with_the_key_opens_what_this_one_made() {
    let (one, two) = (of(1).scope("shop", "chat"), of(1).scope("shop", "chat"));
    let mut seen = HashSet::new();
    for &category in Category::ALL {
        let Some(sealed) = try_mint(&one, category, "a value of that category") else {
            assert!(matches!(category, Category::CardCvc | Category::CardNumber), "{category}");
            continue;
        };
        assert_eq!(token::parse(&sealed), Some((category, sealed.len())));
        assert_eq!(open(&two, &sealed).as_deref(), Some("a value of that category"), "{category}");
        assert_eq!(mint(&two, category, "a value of that category"), sealed, "the same text anywhere");
        assert_eq!(mint(&two, Category::TokenLike, std::str::from_utf8(&sealed).expect("ASCII")), sealed);
        let len = sealed.len() - token::PREFIX.len() - category.as_str().len();
        assert!(seen.insert(sealed[sealed.len() - len + 8..].to_vec()), "{category}: letters of its own");
    }
}

#[test]
fn what_must_not_return_is_not_sealed() {
    let scope = of(1).scope("shop", "chat");
    let track_2 = ";4242424242424242=34121015432112345678?";
    for (category, value) in [
        (Category::CardCvc, "123"),
        (Category::Secret, "1234"),
        (Category::CardNumber, track_2),
        (Category::OtherPersonal, track_2),
        (Category::Email, ""),
    ] {
        assert_eq!(try_mint(&scope, category, value), None, "{category} {value}");
    }
    let number = String::from_utf8(mint(&scope, Category::CardNumber, "4242424242424242")).expect("ASCII");
    // Nor piece by piece: the value takes the token's place before it is judged.
    assert_eq!(try_mint(&scope, Category::OtherPersonal, &format!(";{number}=34121015432112345678?")), None);
}

#[test]
fn a_long_value_gets_a_short_token() {
    let scope = of(1).scope("shop", "chat");
    for (len, is_sealed) in [(1, true), (SEALED_VALUE_BYTES_MAX, true), (SEALED_VALUE_BYTES_MAX + 1, false)] {
        let value = "a".repeat(len);
        let made = mint(&scope, Category::PersonName, &value);
        assert_eq!(open(&of(1).scope("shop", "chat"), &made).is_some(), is_sealed, "{len}");
        assert_eq!(open(&scope, &made), Some(value));
        assert!(made.len() <= LEN_MAX);
    }
    mint(&scope, Category::PersonName, &"a".repeat(VALUE_BYTES_MAX));
    // Among them what only looks like the longest token.
    let foreign = mint(&of(2).scope("shop", "chat"), Category::Email, &"a".repeat(SEALED_VALUE_BYTES_MAX));
    let foreign = String::from_utf8(foreign).expect("ASCII");
    let made = mint(&scope, Category::TokenLike, &foreign);
    assert_eq!(open(&scope, &made), Some(foreign));
}

#[test]
fn keys_are_rotated_by_their_names() {
    let old = mint(&of(1).scope("shop", "chat"), Category::Email, "jenny@example.com");
    let ring = Keyring::new(key("k2", 2)).with_older(key("k1", 1)).expect("two keys");
    let scope = vault(ring).scope("shop", "chat");
    let new = mint(&scope, Category::Email, "jenny@example.com");
    assert_ne!(old, new);
    for made in [&old, &new] {
        assert_eq!(open(&scope, made).as_deref(), Some("jenny@example.com"));
    }
    let text = String::from_utf8(old.clone()).expect("ASCII");
    assert_eq!(mint(&scope, Category::TokenLike, &text), old, "a token in a history stays");
    let scope = vault(Keyring::new(key("k2", 2))).scope("shop", "chat");
    assert_eq!(open(&scope, &old), None, "the old key was taken away");
    assert_eq!(open(&scope, &new).as_deref(), Some("jenny@example.com"));
    // Another key under the same name, and the same key under another.
    for other in [key("k2", 3), key("k3", 2)] {
        assert_eq!(open(&vault(Keyring::new(other)).scope("shop", "chat"), &new), None);
    }
}

#[test]
fn both_forms_are_opened_whichever_is_made() {
    let place = Place::new();
    let short = mint(&place.vault().scope("shop", "chat"), Category::Email, "jenny@example.com");
    let settings = Settings { form: TokenForm::Sealed, ..place.settings() };
    let keys = || Keyring::new(key("k1", 1));
    let scope = Vault::new(keys(), Some(place.store()), settings).expect("threads").scope("shop", "chat");
    let sealed = mint(&scope, Category::Email, "jenny@example.com");
    assert_ne!(short, sealed);
    for made in [&short, &sealed] {
        assert_eq!(open(&scope, made).as_deref(), Some("jenny@example.com"));
        assert_eq!(open(&place.vault().scope("shop", "chat"), made).as_deref(), Some("jenny@example.com"));
    }
    let text = format!("{} or {}", short.escape_ascii(), sealed.escape_ascii());
    let both = mint(&scope, Category::OtherPersonal, &text);
    assert_eq!(open(&scope, &both).as_deref(), Some("jenny@example.com or jenny@example.com"));
}

#[test]
fn a_sealed_token_is_as_it_was_given_out() {
    // They stand in histories, so that the form must not change.
    let made = mint(&of(7).scope("shop", "chat"), Category::Email, "a@example.com");
    let text = String::from_utf8(made).expect("ASCII");
    assert_eq!(text, GIVEN_OUT);
}

/// Computed with another implementation of AES-SIV over keys that another implementation of HMAC derived.
const GIVEN_OUT: &str = "obl_email_zbpocnnedgonfdbpbdaojpkagkgekaajdmdcoebpjopcdbemaendonabefomfpkak";

#[test]
fn every_letter_counts() {
    let (scope, other) = (of(1).scope("shop", "chat"), of(1).scope("shop", "chat2"));
    let mut tried = 0;
    let mut fails = |altered: &[u8]| {
        tried += 1;
        assert_eq!(open(&scope, altered), None, "{}", altered.escape_ascii());
    };
    let made: Vec<Vec<u8>> =
        (0..4).map(|at| mint(&scope, Category::Email, &format!("a{at}@example.com"))).collect();
    let foreign: Vec<Vec<u8>> =
        (0..4).map(|at| mint(&other, Category::Email, &format!("a{at}@example.com"))).collect();
    for (at, token) in made.iter().enumerate() {
        for place in 0..token.len() {
            for sign in *b"abcdefghijklmnopqzAZ_0" {
                let mut altered = token.clone();
                altered[place] = sign;
                if &altered != token {
                    fails(&altered);
                }
            }
            fails(&token[..place]);
        }
        fails(&token.to_ascii_uppercase());
        fails(&foreign[at]);
        fails(&[token.as_slice(), b"a"].concat());
        for next in [&made[(at + 1) % made.len()], &foreign[at]] {
            for cut in 1..token.len() {
                let spliced = [&token[..cut], &next[cut..]].concat();
                if &spliced != token && &spliced != next {
                    fails(&spliced);
                }
            }
        }
        // The letters of one under the category of another.
        let letters = &token[b"obl_email_".len()..];
        fails(&[b"obl_phone_", letters].concat());
    }
    assert!(tried > 5_000, "{tried}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_sealed_opens_in_its_scope_alone(
        value in "[^0-9\u{660}-\u{669}]{1,48}",
        (tenant, session) in ("[a-z]{0,8}", "[a-z]{0,8}"),
        (place, sign) in (any::<prop::sample::Index>(), b'a'..=b'z'),
    ) {
        prop_assume!(!value.contains("obl_"));
        let scope = of(1).scope(&tenant, &session);
        let made = mint(&scope, Category::PersonName, &value);
        prop_assert!(made.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_'));
        prop_assert_eq!(token::parse(&made), Some((Category::PersonName, made.len())));
        let again = of(1).scope(&tenant, &session);
        prop_assert_eq!(&mint(&again, Category::PersonName, &value), &made);
        prop_assert_eq!(open(&again, &made), Some(value.clone()));
        for (vault, tenant, session) in [
            (of(1), format!("{tenant}x"), session.clone()),
            (of(1), tenant.clone(), format!("{session}x")),
            (of(2), tenant.clone(), session.clone()),
        ] {
            prop_assert_eq!(open(&vault.scope(&tenant, &session), &made), None);
        }
        let mut altered = made.clone();
        let place = place.index(made.len());
        altered[place] = sign;
        prop_assert_eq!(open(&scope, &altered).is_some(), altered == made);
    }
}
