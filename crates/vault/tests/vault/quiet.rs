//! Planted values stand in no text that the crate makes, and in no file.

use crate::support::{LONG, Place, key, mint};
use obelus::Category;
use obelus_vault::{
    KeyRequest, KeyRow, Keyring, MemoryStore, SealedValue, Store, TokenRow, Vault, VaultKey, VirtualKeys,
    virtual_key,
};
use std::fmt::Debug;
use std::fs;

/// Assembled, so that it stands in this file only here.
fn planted() -> String {
    ["quartz", "-", "jenny", "@example.com"].concat()
}

/// A key that is cut must not be shown either.
fn halves_of_secret(key: &str) -> [String; 2] {
    let secret = key.split('_').nth(2).expect("a key has three parts behind its prefix");
    let (head, tail) = secret.split_at(16);
    [head.to_owned(), tail.to_owned()]
}

fn shows_nothing(what: &dyn Debug) {
    let text = format!("{what:?} {what:#?}");
    assert!(!text.contains("quartz") && !text.contains("Jenny"), "{text}");
    // Neither do bytes as numbers: those of `quartz`.
    assert!(!text.contains("113") && !text.contains("117"), "{text}");
}

#[test]
fn what_holds_values_or_keys_shows_nothing() {
    let mut bytes = [0; 32];
    bytes[..6].copy_from_slice(b"quartz");
    shows_nothing(&VaultKey::new("a", &bytes).unwrap());
    shows_nothing(&Keyring::new(VaultKey::new("a", &bytes).unwrap()));
    let vault = Vault::ephemeral().unwrap();
    let scope = vault.scope("quartz tenant", "quartz session");
    mint(&scope, Category::Email, &planted());
    shows_nothing(&vault);
    shows_nothing(&scope);
    shows_nothing(&scope.clone());
    shows_nothing(&vault.counts());
    shows_nothing(&vault.health());
    shows_nothing(&SealedValue { sealed: planted().into_bytes(), expires: 1 });
    shows_nothing(&TokenRow {
        tenant: [113; 16],
        scope: [113; 16],
        token: [113; 16],
        sealed: planted().into_bytes(),
        created: 1,
        expires: 2,
    });
    let row = KeyRow {
        id: virtual_key::KeyId::parse("00000000").unwrap(),
        digest: [113; 32],
        workflow: planted(),
        tenant: planted(),
        created: 1,
        expires: None,
        revoked: None,
        last_used: None,
        requester: Some(planted()),
        replaces: None,
    };
    shows_nothing(&row);
    let store = MemoryStore::new();
    store.insert_key(&row).unwrap();
    shows_nothing(&store);
    let place = Place::new();
    shows_nothing(&*place.file_store());
    shows_nothing(&place.settings());
}

#[test]
fn no_fault_repeats_what_was_presented() {
    let place = Place::new();
    let keys = VirtualKeys::new(place.store());
    shows_nothing(&keys);
    let key = keys
        .create(&KeyRequest { workflow: "support".to_owned(), ..KeyRequest::default() }, place.clock.now())
        .unwrap();
    let [head, tail] = halves_of_secret(key.reveal());
    for at in 0..virtual_key::LEN {
        let mut wrong = key.reveal().as_bytes().to_vec();
        wrong[at] = b'!';
        let fault = keys.check(&wrong, place.clock.now()).unwrap_err();
        let text = format!("{fault} {fault:?}");
        assert!(!text.contains(&head) && !text.contains(&tail), "{text}");
    }
    let listed = format!("{:?}", keys.list().unwrap());
    assert!(
        listed.contains(key.id().as_str()) && !listed.contains(&head) && !listed.contains(&tail),
        "{listed}"
    );
    let mut fault = Vec::new();
    for text in [planted().into_bytes(), [b"quartz".as_slice(), &[b'0'; 58]].concat()] {
        fault.push(VaultKey::from_text("a", &text).unwrap_err().to_string());
    }
    shows_nothing(&fault);
}

#[test]
fn files_hold_no_value_and_no_key() {
    let place = Place::new();
    let planted = planted();
    let bytes = *b"quartz-quartz-quartz-quartz-quar";
    let vault = place.vault_with(Keyring::new(VaultKey::new("a", &bytes).unwrap()));
    let scope = vault.scope("quartz-tenant", "quartz-session");
    let tokens: Vec<Vec<u8>> = [Category::Email, Category::PersonName, Category::TokenLike]
        .map(|category| mint(&scope, category, &planted))
        .to_vec();
    vault.flush(LONG).unwrap();
    let keys = VirtualKeys::new(place.store());
    let request = KeyRequest { workflow: "support".to_owned(), ..KeyRequest::default() };
    let key = keys.create(&request, place.clock.now()).unwrap();
    keys.check(key.reveal().as_bytes(), place.clock.now()).unwrap();
    keys.write_uses().unwrap();
    let [head, tail] = halves_of_secret(key.reveal());
    // While the journal is there, and when it has become part of the file.
    for is_closed in [false, true] {
        let mut held = 0;
        for file in fs::read_dir(place.folder.path()).unwrap() {
            let content = fs::read(file.unwrap().path()).unwrap();
            held += content.len();
            let holds = |text: &[u8]| content.windows(text.len()).any(|window| window == text);
            for text in ["quartz", "jenny", head.as_str(), tail.as_str()] {
                assert!(!holds(text.as_bytes()), "{text}, closed: {is_closed}");
            }
            for token in &tokens {
                assert!(!holds(token) && !holds(&token[token.len() - 20..]), "a token, closed: {is_closed}");
            }
        }
        assert!(held > 4096, "something was written");
        if !is_closed {
            let id = key.id();
            let holds_id = fs::read_dir(place.folder.path()).unwrap().any(|file| {
                let content = fs::read(file.unwrap().path()).unwrap();
                content.windows(8).any(|window| window == id.as_str().as_bytes())
            });
            assert!(holds_id, "the search finds what is there");
            vault.erase_tenant("nobody", LONG).unwrap();
        }
    }
}

#[test]
fn what_was_erased_is_not_in_the_file_even_sealed() {
    let place = Place::new();
    let vault = place.vault_with(Keyring::new(key("k1", 1)));
    mint(&vault.scope("shop", "chat"), Category::PersonName, &planted());
    vault.flush(LONG).unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let sealed: Vec<u8> = file.query_row("SELECT sealed FROM tokens", [], |row| row.get(0)).unwrap();
    drop(file);
    let holds_it = || {
        fs::read_dir(place.folder.path()).unwrap().any(|file| {
            let content = fs::read(file.unwrap().path()).unwrap();
            content.windows(sealed.len()).any(|window| window == sealed)
        })
    };
    assert!(holds_it());
    vault.erase_scope("shop", "chat", LONG).unwrap();
    assert!(!holds_it());
}
