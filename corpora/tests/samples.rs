//! The generators keep their promises, and the samples are what they write.

use obelus_corpora::{Kind, Plant, SAMPLES, generate, manifest, write};
use std::fs;
use std::io;
use std::path::Path;

fn in_package(file: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

#[test]
fn samples_are_what_the_generators_write() {
    for sample in &SAMPLES {
        let (bytes, _) = generate(sample.kind, sample.bytes_min, sample.seed);
        let stored = in_package(&format!("samples/{}", sample.file));
        assert!(bytes == stored, "{} differs: cargo run -p obelus-corpora -- samples corpora", sample.file);
        assert!((24 * 1024..=96 * 1024).contains(&bytes.len()), "{}: {} bytes", sample.file, bytes.len());
    }
}

#[test]
fn the_manifest_states_the_samples() {
    let stored = String::from_utf8(in_package("MANIFEST.toml")).unwrap();
    assert_eq!(stored, manifest());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for kind in Kind::ALL {
        let (bytes, planted) = generate(kind, 20_000, 7);
        assert_eq!(generate(kind, 20_000, 7), (bytes.clone(), planted));
        assert_ne!(generate(kind, 20_000, 8).0, bytes, "{kind:?}");
    }
}

#[test]
fn a_corpus_is_as_long_as_asked_and_not_much_longer() {
    for kind in Kind::ALL {
        for bytes_min in [0, 1, 5000, 300_000, 3_000_000] {
            let (bytes, _) = generate(kind, bytes_min, 1);
            let len = bytes.len() as u64;
            assert!(len >= bytes_min.max(1), "{kind:?} {bytes_min}: {len}");
            assert!(len <= bytes_min + bytes_min / 4 + 600_000, "{kind:?} {bytes_min}: {len}");
            assert!(bytes.ends_with(if kind.is_json() { b"}\n" } else { b"\n\n" }), "{kind:?} {bytes_min}");
        }
    }
}

#[test]
fn every_document_is_json_of_the_kind_promised() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_json()) {
        let (bytes, _) = generate(kind, 400_000, 3);
        let documents = serde_json::Deserializer::from_slice(&bytes).into_iter::<serde_json::Value>();
        let documents: Vec<_> = documents.collect::<Result<_, _>>().unwrap();
        assert!(documents.iter().all(serde_json::Value::is_object), "{kind:?}");
        if kind.is_ndjson() {
            assert_eq!(documents.len(), bytes.iter().filter(|&&byte| byte == b'\n').count(), "{kind:?}");
        }
    }
}

#[test]
fn stripe_objects_begin_with_id_and_object() {
    let (bytes, _) = generate(Kind::StripeCompact, 100_000, 1);
    let text = String::from_utf8(bytes).unwrap();
    for object in ["customer", "charge", "payment_intent", "invoice", "dispute", "refund", "subscription"] {
        assert!(text.contains(&format!("\",\"object\":\"{object}\"")), "{object}");
    }
}

#[test]
fn chats_carry_documents_in_strings() {
    let (bytes, _) = generate(Kind::Chat, 300_000, 1);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(r#""arguments":"{\""#));
    assert!(text.contains(r#"\"object\":\"charge\""#));
    let longest = text.lines().map(str::len).max().unwrap();
    assert!((2048..256 * 1024).contains(&longest), "{longest}");
}

#[test]
fn nothing_is_planted_where_nobody_is_and_much_in_dense_rows() {
    for kind in [Kind::Clean, Kind::Quiet, Kind::QuietText] {
        assert_eq!(generate(kind, 1_000_000, 1).1.total(), 0, "{kind:?}");
    }
    let (bytes, planted) = generate(Kind::Dense, 100_000, 1);
    assert!(planted.total() > bytes.len() as u64 / 60);
    assert!(planted.count(Plant::CardNumber) > 50);
}

#[test]
fn writing_and_generating_agree_and_a_full_disk_is_reported() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut written = Vec::new();
    let planted = write(Kind::Events, 50_000, 2, &mut written).unwrap();
    assert_eq!((written, planted), generate(Kind::Events, 50_000, 2));
    assert_eq!(write(Kind::Events, 50_000, 2, Full).unwrap_err().kind(), io::ErrorKind::StorageFull);
}
