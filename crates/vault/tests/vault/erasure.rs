//! Values are gone when their time is over, and when somebody asks for it.

use crate::support::{HOUR, LONG, Place, key, mint, open};
use obelus::Category;
use obelus_vault::{Keyring, Vault};
use std::time::Duration;

const EMAIL: &str = "jenny@example.com";

/// Opens a token in the vault at hand and in one that has nothing at hand.
fn both(place: &Place, vault: &Vault, token: &[u8]) -> (bool, bool) {
    vault.flush(LONG).expect("the store works");
    let at_hand = open(&vault.scope("shop", "chat"), token).is_some();
    (at_hand, open(&place.vault().scope("shop", "chat"), token).is_some())
}

#[test]
fn tokens_expire() {
    let place = Place::new();
    let vault = place.vault();
    let token = mint(&vault.scope("shop", "chat"), Category::Email, EMAIL);
    place.clock.advance(24 * HOUR - Duration::from_millis(1));
    assert_eq!(both(&place, &vault, &token), (true, true));
    assert_eq!(vault.purge(LONG).unwrap(), 0);
    place.clock.advance(Duration::from_millis(1));
    assert_eq!(both(&place, &vault, &token), (false, false));
    // The vault may have deleted it by itself already, as it does from time to time.
    assert!(vault.purge(LONG).unwrap() <= 1);
    assert_eq!(vault.purge(LONG).unwrap(), 0);
    assert_eq!(mint(&vault.scope("shop", "chat"), Category::Email, EMAIL), token, "it can be made again");
    assert_eq!(both(&place, &vault, &token), (true, true));
}

#[test]
fn what_is_made_again_lives_on() {
    let place = Place::new();
    let vault = place.vault();
    let scope = vault.scope("shop", "chat");
    let token = mint(&scope, Category::Email, EMAIL);
    for _ in 0..5 {
        place.clock.advance(13 * HOUR);
        assert_eq!(mint(&scope, Category::Email, EMAIL), token);
        assert_eq!(both(&place, &vault, &token), (true, true));
    }
    place.clock.advance(24 * HOUR);
    assert_eq!(both(&place, &vault, &token), (false, false));
}

#[test]
fn many_that_expired_are_deleted() {
    let place = Place::new();
    let vault = place.vault();
    let scope = vault.scope("shop", "chat");
    for at in 0..3000 {
        mint(&scope, Category::Email, &format!("a{at}@example.com"));
        if at % 500 == 0 {
            vault.flush(LONG).unwrap();
        }
    }
    vault.flush(LONG).unwrap();
    place.clock.advance(24 * HOUR);
    vault.purge(LONG).unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let left: i64 = file.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_scope_is_erased_and_no_other() {
    let place = Place::new();
    let old = mint(&place.vault().scope("shop", "chat"), Category::Email, EMAIL);
    let ring = Keyring::new(key("k2", 2)).with_older(key("k1", 1)).unwrap();
    let vault = place.vault_with(ring);
    let scope = vault.scope("shop", "chat");
    let other = vault.scope("shop", "chat2");
    let token = mint(&scope, Category::Email, EMAIL);
    let kept = mint(&other, Category::Email, EMAIL);
    assert!(open(&scope, &old).is_some());
    assert_eq!(vault.erase_scope("shop", "chat", LONG).unwrap(), 2, "what an older key made as well");
    for token in [&token, &old] {
        assert_eq!(open(&scope, token), None);
        assert_eq!(open(&vault.scope("shop", "chat"), token), None);
    }
    assert_eq!(open(&other, &kept).as_deref(), Some(EMAIL));
    place.clock.advance(Duration::from_secs(5));
    assert_eq!(both(&place, &vault, &token), (false, false));
    // The scope goes on.
    assert_eq!(mint(&scope, Category::Email, EMAIL), token);
    assert_eq!(open(&scope, &token).as_deref(), Some(EMAIL));
}

#[test]
fn a_tenant_is_erased_and_no_other() {
    let place = Place::new();
    let vault = place.vault();
    let scopes = [("shop", "chat"), ("shop", "chat2"), ("shop2", "chat")].map(|(tenant, session)| {
        let scope = vault.scope(tenant, session);
        let token = mint(&scope, Category::Email, EMAIL);
        (scope, token)
    });
    assert_eq!(vault.erase_tenant("shop", LONG).unwrap(), 2);
    let opened = scopes.map(|(scope, token)| open(&scope, &token).is_some());
    assert_eq!(opened, [false, false, true]);
    assert_eq!(vault.erase_tenant("shop", LONG).unwrap(), 0);
}

#[test]
fn without_a_store_memory_is_erased() {
    let vault = Vault::ephemeral().unwrap();
    let scope = vault.scope("shop", "chat");
    let token = mint(&scope, Category::Email, EMAIL);
    vault.erase_scope("shop", "chat2", LONG).unwrap();
    assert!(open(&scope, &token).is_some());
    vault.erase_scope("shop", "chat", LONG).unwrap();
    assert_eq!(open(&scope, &token), None);
}

#[test]
fn what_another_process_erases_is_forgotten_at_the_next_refresh() {
    let place = Place::new();
    let (here, there) = (place.vault(), place.vault());
    let scope = here.scope("shop", "chat");
    let token = mint(&scope, Category::Email, EMAIL);
    here.flush(LONG).unwrap();
    assert!(!here.refresh().unwrap());
    assert_eq!(there.erase_scope("shop", "chat", LONG).unwrap(), 1);
    assert!(here.refresh().unwrap());
    assert_eq!(open(&scope, &token), None);
    assert!(!here.refresh().unwrap());
}
