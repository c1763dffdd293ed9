//! Virtual keys are accepted as long as they should be, and no longer.

use crate::support::{HOUR, HandClock, Place};
use obelus_vault::{KeyChangeError, KeyFault, KeyRequest, MemoryStore, Store, VirtualKeys, virtual_key};
use std::sync::Arc;
use std::time::Duration;

fn request() -> KeyRequest {
    KeyRequest { workflow: "support".to_owned(), ..KeyRequest::default() }
}

/// Runs a test over each kind of store.
fn over_each_store(test: impl Fn(VirtualKeys, HandClock)) {
    test(VirtualKeys::new(Arc::new(MemoryStore::new())), HandClock::new());
    let place = Place::new();
    test(VirtualKeys::new(place.store()), place.clock.clone());
}

#[test]
fn a_key_is_accepted_and_says_who_holds_it() {
    over_each_store(|keys, clock| {
        let (one, other) =
            (keys.create(&request(), clock.now()).unwrap(), keys.create(&request(), clock.now()).unwrap());
        for key in [&one, &other] {
            let holder = keys.check(key.reveal().as_bytes(), clock.now()).unwrap();
            assert_eq!((holder.id, holder.workflow.as_str()), (key.id(), "support"));
            assert_eq!(holder.tenant, key.id().as_str());
            assert_eq!(keys.recheck(&key.id(), clock.now()).unwrap(), holder);
        }
        let named = KeyRequest {
            tenant: Some("shop".to_owned()),
            requester: Some("ops".to_owned()),
            expires: Some(clock.now() + HOUR),
            ..request()
        };
        let key = keys.create(&named, clock.now()).unwrap();
        assert_eq!(keys.check(key.reveal().as_bytes(), clock.now()).unwrap().tenant, "shop");
        let listed = keys.list().unwrap();
        assert_eq!(listed.len(), 3);
        let listed = listed.iter().find(|listed| listed.id == key.id()).unwrap();
        assert_eq!(listed.requester.as_deref(), Some("ops"));
        assert_eq!((listed.created, listed.expires), (clock.now(), Some(clock.now() + HOUR)));
        assert_eq!((listed.revoked, listed.last_used, listed.replaces), (None, None, None));
    });
}

/// A key with a right checksum that nobody made.
fn forged(id: &str, secret: &str) -> String {
    let body = format!("{}{id}_{secret}", virtual_key::PREFIX);
    // The checksum is no secret: found by trying each digit would take long, so it is computed.
    let crc = !body.bytes().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    });
    format!("{body}_{crc:08x}")
}

#[test]
fn each_fault_is_told_apart() {
    over_each_store(|keys, clock| {
        let now = clock.now();
        let key = keys.create(&request(), now).unwrap();
        let text = key.reveal();
        let fault = |presented: &str| keys.check(presented.as_bytes(), now).unwrap_err();
        assert!(matches!(fault("sk-something-else"), KeyFault::Form));
        assert!(matches!(fault(""), KeyFault::Form));
        let slip: String = text
            .chars()
            .rev()
            .enumerate()
            .map(|(at, sign)| match at {
                0 if sign == '0' => '1',
                0 => '0',
                _ => sign,
            })
            .collect::<String>()
            .chars()
            .rev()
            .collect();
        assert!(matches!(fault(&slip), KeyFault::Checksum));
        let secret = text.split('_').nth(2).unwrap();
        assert_eq!(forged(key.id().as_str(), secret), text, "the checksum is what the test takes it for");
        assert!(matches!(fault(&forged("00000000", secret)), KeyFault::Unknown));
        assert!(matches!(fault(&forged(key.id().as_str(), &"0".repeat(32))), KeyFault::Secret));
        keys.check(text.as_bytes(), now).unwrap();
    });
}

#[test]
fn keys_expire() {
    over_each_store(|keys, clock| {
        let expires = clock.now() + HOUR;
        let key = keys.create(&KeyRequest { expires: Some(expires), ..request() }, clock.now()).unwrap();
        let text = key.reveal().as_bytes();
        let holder = keys.check(text, expires - Duration::from_millis(1)).unwrap();
        assert_eq!(holder.expires, Some(expires));
        assert!(matches!(keys.check(text, expires), Err(KeyFault::Expired)));
        assert!(matches!(keys.recheck(&key.id(), expires), Err(KeyFault::Expired)));
    });
}

#[test]
fn a_revoked_key_is_refused_at_once_and_for_good() {
    over_each_store(|keys, clock| {
        let (key, other) =
            (keys.create(&request(), clock.now()).unwrap(), keys.create(&request(), clock.now()).unwrap());
        keys.check(key.reveal().as_bytes(), clock.now()).unwrap();
        let before = keys.generation().unwrap();
        let revoked = clock.now();
        keys.revoke(&key.id(), revoked).unwrap();
        assert_ne!(keys.generation().unwrap(), before);
        clock.advance(HOUR);
        keys.revoke(&key.id(), clock.now()).unwrap();
        assert!(matches!(keys.check(key.reveal().as_bytes(), clock.now()), Err(KeyFault::Revoked)));
        assert!(matches!(keys.recheck(&key.id(), clock.now()), Err(KeyFault::Revoked)));
        keys.check(other.reveal().as_bytes(), clock.now()).unwrap();
        let listed = keys.list().unwrap();
        let listed = listed.iter().find(|listed| listed.id == key.id()).unwrap();
        assert_eq!(listed.revoked, Some(revoked), "when it was revoked first");
        let unknown = virtual_key::KeyId::parse("00000000").unwrap();
        assert!(matches!(keys.revoke(&unknown, clock.now()), Err(KeyChangeError::Unknown(_))));
        let rotated = keys.rotate(&key.id(), HOUR, clock.now());
        assert!(matches!(rotated, Err(KeyChangeError::Revoked(_))));
    });
}

#[test]
fn a_revocation_is_seen_through_another_handle_of_the_file() {
    let place = Place::new();
    let (here, there) = (VirtualKeys::new(place.store()), VirtualKeys::new(place.store()));
    let now = place.clock.now();
    let key = there.create(&request(), now).unwrap();
    let text = key.reveal().as_bytes();
    here.check(text, now).unwrap();
    let before = here.generation().unwrap();
    there.revoke(&key.id(), now).unwrap();
    assert_ne!(here.generation().unwrap(), before);
    assert!(matches!(here.check(text, now), Err(KeyFault::Revoked)));
}

#[test]
fn rotation_accepts_both_and_then_only_the_new_one() {
    over_each_store(|keys, clock| {
        let old = keys.create(&request(), clock.now()).unwrap();
        let tenant = keys.check(old.reveal().as_bytes(), clock.now()).unwrap().tenant;
        let before = keys.generation().unwrap();
        let rotated = clock.now();
        let new = keys.rotate(&old.id(), HOUR, rotated).unwrap();
        assert_ne!(keys.generation().unwrap(), before);
        let old_holder =
            keys.check(old.reveal().as_bytes(), rotated + HOUR - Duration::from_millis(1)).unwrap();
        assert_eq!(old_holder.expires, Some(rotated + HOUR));
        for at in [rotated, rotated + HOUR, rotated + 1000 * HOUR] {
            let holder = keys.check(new.reveal().as_bytes(), at).unwrap();
            assert_eq!(
                (&holder.tenant, holder.workflow.as_str(), holder.expires),
                (&tenant, "support", None)
            );
        }
        assert!(matches!(keys.check(old.reveal().as_bytes(), rotated + HOUR), Err(KeyFault::Expired)));
        let listed = keys.list().unwrap();
        assert!(listed.iter().any(|listed| listed.id == new.id() && listed.replaces == Some(old.id())));
        // Once more: still the tenant of the first.
        let newest = keys.rotate(&new.id(), Duration::ZERO, rotated + HOUR).unwrap();
        assert_eq!(keys.check(newest.reveal().as_bytes(), rotated + HOUR).unwrap().tenant, tenant);
        assert!(matches!(keys.check(new.reveal().as_bytes(), rotated + HOUR), Err(KeyFault::Expired)));
    });
}

#[test]
fn a_key_is_rotated_once_and_keeps_its_time_to_live() {
    over_each_store(|keys, clock| {
        let start = clock.now();
        let limited = KeyRequest { expires: Some(start + 10 * HOUR), ..request() };
        let old = keys.create(&limited, start).unwrap();
        // An overlap does not lengthen what would have ended before.
        let new = keys.rotate(&old.id(), 100 * HOUR, start + HOUR).unwrap();
        keys.check(old.reveal().as_bytes(), start + 9 * HOUR).unwrap();
        assert!(matches!(keys.check(old.reveal().as_bytes(), start + 10 * HOUR), Err(KeyFault::Expired)));
        let holder = keys.check(new.reveal().as_bytes(), start + HOUR).unwrap();
        assert_eq!(holder.expires, Some(start + 11 * HOUR));
        let again = keys.rotate(&old.id(), HOUR, start + HOUR);
        assert!(matches!(again, Err(KeyChangeError::Replaced(id)) if id == old.id()));
        let expired = keys.rotate(&old.id(), HOUR, start + 10 * HOUR);
        assert!(matches!(expired, Err(KeyChangeError::Expired(_))));
        let unknown = virtual_key::KeyId::parse("00000000").unwrap();
        assert!(matches!(keys.rotate(&unknown, HOUR, start), Err(KeyChangeError::Unknown(_))));
        assert_eq!(keys.list().unwrap().len(), 2, "what fails leaves nothing behind");
    });
}

#[test]
fn a_key_that_replaces_another_can_be_revoked_alone() {
    over_each_store(|keys, clock| {
        let old = keys.create(&request(), clock.now()).unwrap();
        let new = keys.rotate(&old.id(), HOUR, clock.now()).unwrap();
        keys.revoke(&new.id(), clock.now()).unwrap();
        keys.check(old.reveal().as_bytes(), clock.now()).unwrap();
        assert!(matches!(keys.check(new.reveal().as_bytes(), clock.now()), Err(KeyFault::Revoked)));
    });
}

#[test]
fn uses_are_written_when_asked_for() {
    over_each_store(|keys, clock| {
        let key = keys.create(&request(), clock.now()).unwrap();
        let used = clock.now() + HOUR;
        for at in [clock.now(), used, clock.now()] {
            keys.check(key.reveal().as_bytes(), at).unwrap();
        }
        assert_eq!(keys.list().unwrap()[0].last_used, None);
        keys.write_uses().unwrap();
        keys.write_uses().unwrap();
        assert_eq!(keys.list().unwrap()[0].last_used, Some(used));
        keys.check(key.reveal().as_bytes(), clock.now()).unwrap();
        keys.write_uses().unwrap();
        assert_eq!(keys.list().unwrap()[0].last_used, Some(used), "it does not go back");
    });
}

#[test]
fn names_are_plain_text() {
    over_each_store(|keys, clock| {
        for name in ["", "a\nb", &"a".repeat(129)] {
            let named = [
                KeyRequest { workflow: name.to_owned(), ..request() },
                KeyRequest { tenant: Some(name.to_owned()), ..request() },
                KeyRequest { requester: Some(name.to_owned()), ..request() },
            ];
            for request in named {
                assert!(matches!(keys.create(&request, clock.now()), Err(KeyChangeError::Name(_))));
            }
        }
        assert!(keys.list().unwrap().is_empty());
    });
}

#[test]
fn keys_outlive_the_process() {
    let place = Place::new();
    let now = place.clock.now();
    let key = VirtualKeys::new(place.store()).create(&request(), now).unwrap();
    let listed = VirtualKeys::new(place.store()).list().unwrap();
    assert_eq!(listed.len(), 1);
    VirtualKeys::new(place.store()).check(key.reveal().as_bytes(), now).unwrap();
}

#[test]
fn keys_are_checked_while_others_are_made() {
    let place = Place::new();
    let store: Arc<dyn Store> = place.store();
    let keys = VirtualKeys::new(store);
    let now = place.clock.now();
    let key = keys.create(&request(), now).unwrap();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..200 {
                    keys.check(key.reveal().as_bytes(), now).unwrap();
                }
            });
        }
        threads.spawn(|| {
            let other = VirtualKeys::new(place.store());
            for _ in 0..20 {
                other.create(&request(), now).unwrap();
            }
        });
    });
    assert_eq!(keys.list().unwrap().len(), 21);
}

#[test]
fn of_many_rotations_at_once_one_succeeds() {
    let place = Place::new();
    let keys = VirtualKeys::new(place.store());
    let now = place.clock.now();
    let key = keys.create(&request(), now).unwrap();
    let rotated: Vec<bool> = std::thread::scope(|threads| {
        let started: Vec<_> = (0..4)
            .map(|_| threads.spawn(|| VirtualKeys::new(place.store()).rotate(&key.id(), HOUR, now).is_ok()))
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(rotated.iter().filter(|is_ok| **is_ok).count(), 1);
    assert_eq!(keys.list().unwrap().len(), 2);
}

#[test]
fn requests_are_counted_by_day_and_key() {
    over_each_store(|keys, clock| {
        let one = keys.create(&request(), clock.now()).unwrap().id();
        let other = keys.create(&request(), clock.now()).unwrap().id();
        keys.add_requests(7, &[(one, 2), (other, 1)]).unwrap();
        keys.add_requests(7, &[(one, 3)]).unwrap();
        let mut counts = keys.requests(7).unwrap();
        counts.sort_unstable();
        let mut expected = [(one, 5), (other, 1)];
        expected.sort_unstable();
        assert_eq!(counts, expected);
        keys.add_requests(8, &[(one, 1)]).unwrap();
        assert_eq!((keys.requests(7).unwrap(), keys.requests(8).unwrap()), (Vec::new(), vec![(one, 1)]));
    });
}

#[test]
fn a_file_without_counts_of_requests_gets_them() {
    let place = Place::new();
    drop(place.store());
    rusqlite::Connection::open(place.path()).unwrap().execute_batch("DROP TABLE requests").unwrap();
    let keys = VirtualKeys::new(place.store());
    let id = keys.create(&request(), place.clock.now()).unwrap().id();
    keys.add_requests(7, &[(id, 2)]).unwrap();
    drop(keys);
    assert_eq!(VirtualKeys::new(place.store()).requests(7).unwrap(), [(id, 2)]);
}
