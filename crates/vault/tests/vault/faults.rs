//! A store that fails or hangs: labels instead of tokens, and nobody waits.

use crate::support::{Faulty, HandClock, LONG, Place, key, mint, open, try_mint, wait_until};
use obelus::Category;
use obelus_vault::{
    Health, KeyFault, KeyRequest, Keyring, Settings, SqliteStore, Store, StoreError, Vault, VirtualKeys,
};
use std::sync::Arc;
use std::time::Duration;

fn over(store: &Arc<Faulty>, wait: Duration) -> Vault {
    let settings = Settings {
        look_up_wait: wait,
        write_wait: wait,
        clock: HandClock::new().clock(),
        ..Settings::default()
    };
    Vault::new(Keyring::new(key("k1", 1)), Some(store.clone()), settings).expect("there are threads")
}

#[test]
fn a_store_that_is_down_from_the_start_gives_no_tokens() {
    let store = Arc::new(Faulty::default());
    store.set_down(true);
    let vault = over(&store, LONG);
    let scope = vault.scope("shop", "chat");
    assert_eq!(vault.health(), Health::Fails);
    assert_eq!(try_mint(&scope, Category::Email, "jenny@example.com"), None);
    store.set_down(false);
    wait_until(|| vault.health() == Health::Works);
    assert!(try_mint(&scope, Category::Email, "jenny@example.com").is_some());
}

#[test]
fn a_store_that_goes_down_keeps_what_was_given_out() {
    let store = Arc::new(Faulty::default());
    let vault = over(&store, LONG);
    let scope = vault.scope("shop", "chat");
    assert_eq!(vault.health(), Health::Works);
    store.set_down(true);
    // This one is accepted before anybody knows.
    let token = mint(&scope, Category::Email, "jenny@example.com");
    let mut tried = 0;
    wait_until(|| {
        tried += 1;
        try_mint(&scope, Category::Email, &format!("a{tried}@example.com")).is_none()
    });
    assert_eq!(vault.health(), Health::Fails);
    assert_eq!(open(&scope, &token).as_deref(), Some("jenny@example.com"));
    assert_eq!(mint(&scope, Category::Email, "jenny@example.com"), token, "it was given out");
    let text = String::from_utf8(token.clone()).unwrap();
    assert_eq!(mint(&scope, Category::TokenLike, &text), token);
    // Whether this is a token of the scope cannot be told now.
    assert_eq!(try_mint(&scope, Category::TokenLike, "obl_email_abcdefghijklmnopabcd"), None);
    assert_eq!(try_mint(&scope, Category::Secret, "see obl_email_abcdefghijklmnopabcd"), None);
    store.set_down(false);
    wait_until(|| vault.health() == Health::Works);
    vault.flush(LONG).unwrap();
    let again = over(&store, LONG).scope("shop", "chat");
    assert_eq!(open(&again, &token).as_deref(), Some("jenny@example.com"));
}

#[test]
fn a_store_that_hangs_is_not_waited_for() {
    let store = Arc::new(Faulty::default());
    let vault = over(&store, Duration::from_millis(1));
    let scope = vault.scope("shop", "chat");
    wait_until(|| vault.health() == Health::Works);
    wait_until(|| try_mint(&scope, Category::Email, "jenny@example.com").is_some());
    store.set_hanging(true);
    // All of this returns, although the store never does.
    let unknown = b"obl_email_abcdefghijklmnopabcd";
    wait_until(|| vault.health() == Health::Slow);
    assert!(!scope.is_minted(unknown));
    let mut tried = 0;
    wait_until(|| {
        tried += 1;
        try_mint(&scope, Category::Email, &format!("a{tried}@example.com")).is_none()
    });
    assert!(vault.flush(Duration::from_millis(1)).is_err());
    store.set_hanging(false);
    wait_until(|| vault.health() == Health::Works);
    wait_until(|| try_mint(&scope, Category::Email, "b@example.com").is_some());
}

#[test]
fn a_queue_that_is_full_makes_no_tokens_and_loses_none() {
    let store = Arc::new(Faulty::default());
    let vault = over(&store, LONG);
    let scope = vault.scope("shop", "chat");
    store.set_hanging(true);
    let mut tokens = Vec::new();
    while let Some(token) = try_mint(&scope, Category::Email, &format!("a{}@example.com", tokens.len())) {
        tokens.push(token);
        assert!(tokens.len() < 10_000, "the queue has no end");
    }
    assert!(tokens.len() >= 1024);
    store.set_hanging(false);
    vault.flush(LONG).unwrap();
    let again = over(&store, LONG).scope("shop", "chat");
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&again, token), Some(format!("a{at}@example.com")));
    }
}

#[test]
fn what_was_not_written_is_not_forgotten_for_room() {
    let store = Arc::new(Faulty::default());
    let settings = Settings {
        look_up_wait: LONG,
        write_wait: LONG,
        scope_values_max: 10,
        clock: HandClock::new().clock(),
        ..Settings::default()
    };
    let vault = Vault::new(Keyring::new(key("k1", 1)), Some(store.clone()), settings).unwrap();
    let scope = vault.scope("shop", "chat");
    store.set_hanging(true);
    let value = |at: usize| format!("a{at}@example.com");
    let tokens: Vec<_> = (0..10).map(|at| mint(&scope, Category::Email, &value(at))).collect();
    assert_eq!(try_mint(&scope, Category::Email, &value(10)), None);
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(open(&scope, token), Some(value(at)));
    }
    store.set_hanging(false);
    vault.flush(LONG).unwrap();
    mint(&scope, Category::Email, &value(10));
    assert_eq!(open(&scope, &tokens[0]), Some(value(0)));
}

#[test]
fn text_is_not_kept_while_nobody_can_tell_what_its_tokens_mean() {
    let store = Arc::new(Faulty::default());
    let token = mint(&over(&store, LONG).scope("shop", "chat"), Category::Email, "jenny@example.com");
    let text = String::from_utf8(token.clone()).unwrap();
    let vault = over(&store, LONG);
    let scope = vault.scope("shop", "chat");
    store.set_unreadable(true);
    assert_eq!(try_mint(&scope, Category::TokenLike, &text), None);
    assert_eq!(try_mint(&scope, Category::PersonName, &format!("Jenny <{text}>")), None);
    assert!(try_mint(&scope, Category::PersonName, "Jenny").is_some(), "nothing needs to be read for it");
    store.set_unreadable(false);
    assert_eq!(mint(&scope, Category::TokenLike, &text), token);
    let whole = mint(&scope, Category::PersonName, &format!("Jenny <{text}>"));
    assert_eq!(open(&scope, &whole).as_deref(), Some("Jenny <jenny@example.com>"));
}

#[test]
fn nobody_is_let_in_while_keys_cannot_be_looked_up() {
    let store = Arc::new(Faulty::default());
    let keys = VirtualKeys::new(store.clone());
    let now = HandClock::new().now();
    let request = KeyRequest { workflow: "support".to_owned(), ..KeyRequest::default() };
    let key = keys.create(&request, now).unwrap();
    let text = key.reveal().as_bytes();
    keys.check(text, now).unwrap();
    store.set_down(true);
    assert!(matches!(keys.check(text, now), Err(KeyFault::Store(_))));
    assert!(matches!(keys.recheck(&key.id(), now), Err(KeyFault::Store(_))));
    assert!(keys.write_uses().is_err());
    store.set_down(false);
    keys.check(text, now).unwrap();
    keys.write_uses().unwrap();
    assert_eq!(keys.list().unwrap()[0].last_used, Some(now), "the use was not lost");
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    let place = Place::new();
    let path = place.path();
    drop(place.store());
    let is_refused = |text: &str| {
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(!error.to_string().contains("quartz"));
    };
    std::fs::write(&path, "quartz ".repeat(1000)).unwrap();
    is_refused("cannot be used as a store");
    assert!(matches!(SqliteStore::open(place.folder.path()), Err(StoreError::Database(..))));
    let missing = place.folder.path().join("no/obelus.db");
    assert!(matches!(SqliteStore::open(&missing), Err(StoreError::File(..))));
    std::fs::remove_file(&path).unwrap();
    drop(place.store());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA user_version = 2").unwrap();
    drop(newer);
    is_refused("schema 2, this version knows 1");
    std::fs::write(&path, b"").unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE quartz (a)").unwrap();
    let before = std::fs::read(&path).unwrap();
    is_refused("cannot be used as a store");
    assert!(std::fs::read(&path).unwrap() == before, "it is left as it was");
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let vault = place.vault();
    mint(&vault.scope("shop", "chat"), Category::Email, "jenny@example.com");
    vault.flush(LONG).unwrap();
    let files: Vec<_> =
        std::fs::read_dir(place.folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "the file, its journal and the index of that");
    for file in files {
        assert_eq!(metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    drop(vault);
    set_permissions(place.path(), Permissions::from_mode(0o644)).unwrap();
    let error = SqliteStore::open(&place.path()).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn many_may_open_a_new_file_at_once() {
    let place = Place::new();
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| SqliteStore::open(&place.path()).unwrap().generation().unwrap());
        }
    });
}
