//! Memory is bounded, and nothing that was given out is forgotten for it.

use crate::support::{Faulty, HandClock, LONG, Place, key, mint, open, try_mint};
use obelus::Category;
use obelus_vault::{Keyring, Settings, Vault};
use std::sync::Arc;
use std::time::Duration;

fn value(at: usize) -> String {
    format!("a{at}@example.com")
}

/// A vault without a store, and its clock.
fn in_memory(change: impl FnOnce(&mut Settings)) -> (Vault, HandClock) {
    let clock = HandClock::new();
    let mut settings = Settings { clock: clock.clock(), ..Settings::default() };
    change(&mut settings);
    (Vault::new(Keyring::new(key("k1", 1)), None, settings).expect("there are threads"), clock)
}

#[test]
fn without_a_store_a_full_scope_makes_no_more_tokens() {
    let (vault, clock) = in_memory(|settings| settings.scope_values_max = 10);
    let scope = vault.scope("shop", "chat");
    let tokens: Vec<_> = (0..10).map(|at| mint(&scope, Category::Email, &value(at))).collect();
    assert_eq!(try_mint(&scope, Category::Email, &value(10)), None);
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&scope, token), Some(value(at)));
        assert_eq!(mint(&scope, Category::Email, &value(at)), *token);
    }
    assert!(try_mint(&vault.scope("shop", "chat2"), Category::Email, &value(10)).is_some());
    // What has expired makes room.
    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(open(&scope, &tokens[0]), None);
    assert!(try_mint(&scope, Category::Email, &value(10)).is_some());
}

#[test]
fn bytes_are_bounded_for_one_scope_and_for_all() {
    let count = |vault: &Vault, session: &str| {
        let scope = vault.scope("shop", session);
        (0..1000).filter(|at| try_mint(&scope, Category::Email, &value(*at)).is_some()).count()
    };
    let (vault, _) = in_memory(|settings| settings.scope_bytes_max = 10_000);
    let of_one = count(&vault, "chat");
    assert!((10..100).contains(&of_one), "{of_one}");
    assert_eq!(count(&vault, "chat2"), of_one);
    let (vault, _) = in_memory(|settings| settings.bytes_max = 10_000);
    assert_eq!(count(&vault, "chat"), of_one);
    assert_eq!(count(&vault, "chat2"), 0);
}

#[test]
fn without_a_store_scopes_stay_until_they_are_empty() {
    let (vault, clock) = in_memory(|settings| settings.scopes_max = 4);
    let tokens: Vec<_> =
        (0..4).map(|at| mint(&vault.scope("shop", &at.to_string()), Category::Email, &value(at))).collect();
    let more = vault.scope("shop", "more");
    assert_eq!(try_mint(&more, Category::Email, &value(9)), None);
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&vault.scope("shop", &at.to_string()), token), Some(value(at)));
    }
    clock.advance(Duration::from_secs(24 * 3600));
    assert!(try_mint(&vault.scope("shop", "more"), Category::Email, &value(9)).is_some());
}

#[test]
fn with_a_store_values_leave_memory_and_are_found_again() {
    let place = Place::new();
    let settings = Settings { scope_values_max: 10, ..place.settings() };
    let vault = Vault::new(Keyring::new(key("k1", 1)), Some(place.store()), settings).unwrap();
    let scope = vault.scope("shop", "chat");
    let mut tokens = Vec::new();
    for at in 0..100 {
        tokens.push(mint(&scope, Category::Email, &value(at)));
        vault.flush(LONG).unwrap();
    }
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&scope, token), Some(value(at)));
    }
}

#[test]
fn with_a_store_scopes_leave_memory_and_are_found_again() {
    let place = Place::new();
    let settings = Settings { scopes_max: 4, ..place.settings() };
    let vault = Vault::new(Keyring::new(key("k1", 1)), Some(place.store()), settings).unwrap();
    let mut tokens = Vec::new();
    for at in 0..40 {
        tokens.push(mint(&vault.scope("shop", &at.to_string()), Category::Email, &value(at)));
        vault.flush(LONG).unwrap();
    }
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&vault.scope("shop", &at.to_string()), token), Some(value(at)));
    }
}

#[test]
fn with_a_store_other_scopes_make_room_for_bytes() {
    let place = Place::new();
    let settings = Settings { bytes_max: 10_000, ..place.settings() };
    let vault = Vault::new(Keyring::new(key("k1", 1)), Some(place.store()), settings).unwrap();
    let mut tokens = Vec::new();
    for at in 0..400 {
        let scope = vault.scope("shop", &(at / 10).to_string());
        tokens.push(mint(&scope, Category::Email, &value(at)));
        vault.flush(LONG).unwrap();
        place.clock.advance(Duration::from_secs(1));
    }
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&vault.scope("shop", &(at / 10).to_string()), token), Some(value(at)));
    }
}

#[test]
fn scopes_in_use_are_one_however_many_there_are() {
    let place = Place::new();
    let settings = Settings { scopes_max: 2, ..place.settings() };
    let vault = Vault::new(Keyring::new(key("k1", 1)), Some(place.store()), settings).unwrap();
    let held = [vault.scope("shop", "0"), vault.scope("shop", "1")];
    let token = mint(&held[0], Category::Email, &value(0));
    // There is no room for it, and a token that it made could be missing at its other handles.
    let third = vault.scope("shop", "2");
    assert_eq!(try_mint(&third, Category::Email, &value(0)), None);
    assert_eq!(open(&vault.scope("shop", "0"), &token), Some(value(0)));
    drop(held);
    vault.flush(LONG).unwrap();
    assert!(try_mint(&vault.scope("shop", "2"), Category::Email, &value(0)).is_some());
}

#[test]
fn unknown_tokens_cost_a_bounded_number_of_look_ups() {
    let place = Place::new();
    let store = Arc::new(Faulty::default());
    let vault = Vault::new(Keyring::new(key("k1", 1)), Some(store.clone()), place.settings()).unwrap();
    let scope = vault.scope("shop", "chat");
    let guess = |at: u32| {
        let mut token = Vec::new();
        let mut body = [0; obelus::token::BODY_BYTES];
        body[..4].copy_from_slice(&at.to_be_bytes());
        obelus::token::render(Category::Email, body, &mut token);
        token
    };
    assert!((0..100).all(|_| !scope.is_minted(&guess(0))));
    assert_eq!(store.asked(), 1, "what is unknown stays unknown for a while");
    assert!((0..100_000).all(|at| !scope.is_minted(&guess(at))));
    assert_eq!(store.asked(), 1024);
    place.clock.advance(Duration::from_secs(1));
    assert!((0..100_000).all(|at| !scope.is_minted(&guess(200_000 + at))));
    assert_eq!(store.asked(), 1024 + 256);
    // What is at hand is found, and so is what is made.
    let token = mint(&scope, Category::Email, &value(1));
    assert_eq!(open(&scope, &token), Some(value(1)));
    // Other scopes have their own.
    assert!(!vault.scope("shop", "chat2").is_minted(&guess(0)));
    assert_eq!(store.asked(), 1024 + 256 + 1);
}

#[test]
fn a_token_that_was_unknown_is_known_once_it_is_made() {
    let place = Place::new();
    let token = {
        let elsewhere = Place::new();
        mint(&elsewhere.vault().scope("shop", "chat"), Category::Email, &value(1))
    };
    let scope = place.vault().scope("shop", "chat");
    assert_eq!(open(&scope, &token), None);
    assert_eq!(mint(&scope, Category::Email, &value(1)), token);
    assert_eq!(open(&scope, &token), Some(value(1)));
}
