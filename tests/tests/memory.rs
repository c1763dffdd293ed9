#![forbid(unsafe_code)]
//! I4: memory is bounded, and a clean byte costs no allocation.

use obelus::{ErrorKind, Limits, NullSink, Redactor};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counts are those of the process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const CHUNK_BYTES: usize = 64 << 10;

/// How often memory may be asked for to read a body of 2 KiB without a finding.
const BODY_ALLOCATIONS_MAX: usize = 8;

fn redactor() -> Redactor {
    Redactor::builder().build().expect("the default rules compile")
}

/// Lines of one shape, so that the chunk boundaries fall everywhere in them.
fn lines(line: &str, bytes: usize) -> Vec<u8> {
    line.as_bytes().iter().copied().cycle().take(bytes / line.len() * line.len()).collect()
}

/// Pushes `input` again and again, up to `total` bytes. Returns allocations after the first eighth, and the most
/// bytes held.
fn push_all(redactor: &Redactor, input: &[u8], total: usize) -> (usize, usize) {
    let mut stream = redactor.stream();
    let (mut pushed, mut held) = (0, 0);
    let mut region = Region::new(COUNTED);
    while pushed < total {
        for chunk in input.chunks(CHUNK_BYTES) {
            stream.push(chunk, &mut NullSink).expect("the input is right");
            held = held.max(stream.held_bytes());
            pushed += chunk.len();
        }
        if pushed <= total / 8 {
            region = Region::new(COUNTED);
        }
    }
    let change = region.change();
    (change.allocations + change.reallocations, held)
}

const CLEAN: &str = concat!(
    r#"{"id":"pi_3ObelusTest000000000001","object":"payment_intent","amount":1099,"created":1700000000,"#,
    r#""currency":"usd","description":"T-shirt, size M","payment_method_types":["card","link"],"livemode":false}"#,
    "\n"
);

#[test]
fn clean_data_costs_no_allocation() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let redactor = redactor();
    let (allocations, held) = push_all(&redactor, &lines(CLEAN, 4 << 20), 64 << 20);
    assert_eq!(allocations, 0, "allocations in push once warm");
    assert!(held < 4096, "{held} bytes held");
}

#[test]
fn findings_cost_no_allocation_either() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let redactor = redactor();
    let line = concat!(
        r#"{"id":"ch_3ObelusTest000000000001","object":"charge","billing_details":{"name":"Jenny Rosen"},"#,
        r#""receipt_email":"jenny.rosen@example.com","description":"card 4242 4242 4242 4242 \u0026 more"}"#,
        "\n"
    );
    let (allocations, held) = push_all(&redactor, &lines(line, 1 << 20), 8 << 20);
    assert_eq!(allocations, 0, "allocations in push once warm");
    assert!(held < 4096, "{held} bytes held");
}

#[test]
fn long_values_are_held_in_part() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let redactor = redactor();
    let shapes = [
        ("text", r#"{"id":"cus_ObelusTest0001","text":""#, "lorem ipsum dolor sit amet 0123 "),
        ("replaced", r#"{"id":"cus_ObelusTest0001","email":""#, "lorem ipsum dolor "),
        ("JSON inside", r#"{"text":"["#, r#"{\"a\":\"lorem ipsum\"},"#),
        ("digits", r#"{"text":""#, "0000000000000000000000000000000000000000"),
        ("escapes", r#"{"text":""#, r"\u00e4\ud83d\ude00"),
        ("waiting", r#"{"name":""#, "lorem ipsum dolor "),
        ("secret", r#"{"text":"eyJhbGciOiJIUzI1NiJ9.eyJz"#, "dWIiOiJvYmVsdXMifQ"),
    ];
    for (name, start, body) in shapes {
        let mut stream = redactor.stream();
        stream.push(start.as_bytes(), &mut NullSink).expect("the input is right");
        let body = lines(body, 1 << 20);
        let (mut held, mut live) = (0, 0);
        let region = Region::new(COUNTED);
        for _ in 0..8 {
            for chunk in body.chunks(CHUNK_BYTES) {
                stream.push(chunk, &mut NullSink).expect("the input is right");
                held = held.max(stream.held_bytes());
                let change = region.change();
                live = live.max(change.bytes_allocated.saturating_sub(change.bytes_deallocated));
            }
        }
        assert!(held < 64 << 10, "{name}: {held} bytes held");
        assert!(live < 2 << 20, "{name}: {live} bytes live");
    }
}

#[test]
fn what_cannot_be_held_in_part_is_limited() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let limits = Limits { hold_bytes_max: 8192, path_bytes_max: 8192, depth_max: 64, ..Limits::default() };
    let redactor = Redactor::builder().limits(limits).build().expect("the default rules compile");
    let nested = r#"{"name":"#.repeat(100);
    let shapes = [
        ("name", format!(r#"{{"{}"#, "n".repeat(1 << 20)), ErrorKind::Hold),
        ("whole name", format!(r#"{{"{}":1}}"#, "n".repeat(9000)), ErrorKind::Hold),
        ("number", format!(r#"{{"a":{}"#, "7".repeat(1 << 20)), ErrorKind::Hold),
        ("path", format!(r#"{{"{0}":{{"{0}":{{"{0}":[1]}}}}}}"#, "n".repeat(4000)), ErrorKind::Path),
    ];
    for (name, input, kind) in &shapes {
        for size in [usize::MAX, 4096, 1000] {
            let region = Region::new(COUNTED);
            let mut stream = redactor.stream();
            let result =
                input.as_bytes().chunks(size).try_for_each(|chunk| stream.push(chunk, &mut NullSink));
            let error = result.err().map(|error| format!("{error:?}")).unwrap_or_default();
            assert!(error.contains(&format!("{kind:?}")), "{name} in pieces of {size}: {error}");
            let used = region.change().bytes_allocated;
            let chunk = size.min(input.len());
            assert!(used < (64 << 10) + 2 * chunk, "{name} in pieces of {size}: {used} bytes");
        }
    }
    assert!(redactor.redact(nested.as_bytes()).is_err_and(|error| error.to_string().contains("depth")));
}

#[test]
fn compiling_takes_little_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let region = Region::new(COUNTED);
    let redactor = redactor();
    let change = region.change();
    // All that was ever asked for, so the most at one time is less.
    assert!(change.bytes_allocated < 64 << 20, "{} bytes asked for", change.bytes_allocated);
    let kept = change.bytes_allocated - change.bytes_deallocated;
    assert!(kept < 8 << 20, "{kept} bytes kept");
    drop(redactor);
}

#[test]
fn a_stream_costs_next_to_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let redactor = redactor();
    let region = Region::new(COUNTED);
    let stream = redactor.stream();
    let opened = region.change();
    assert_eq!(opened.allocations, 0, "{} bytes", opened.bytes_allocated);
    drop(stream);
    let body = lines(CLEAN, 2 << 10);
    let region = Region::new(COUNTED);
    let mut stream = redactor.stream();
    stream
        .push(&body, &mut NullSink)
        .and_then(|()| stream.finish(&mut NullSink))
        .expect("the input is right");
    let read = region.change();
    assert!(read.allocations + read.reallocations <= BODY_ALLOCATIONS_MAX, "{read:?}");
    assert!(read.bytes_allocated < 16 << 10, "{} bytes", read.bytes_allocated);
    assert_eq!(read.bytes_allocated, read.bytes_deallocated);
}

#[test]
fn a_stream_in_the_middle_of_an_input_goes_on_from_there() {
    let redactor = redactor();
    let mut stream = redactor.stream_at(100, 7);
    let line = b"{\"id\":1}\n{\"a\" 1}\n";
    let mut output = Vec::new();
    stream.push(&line[..9], &mut output).expect("the input is right");
    assert_eq!(stream.documents(), 8);
    let error = stream.push(&line[9..], &mut output).expect_err("no colon");
    assert!(error.to_string().ends_with("at byte 114"), "{error}");
    // At the beginning, and only there, the encoding is looked at.
    let marked = b"\xEF\xBB\xBF{}";
    assert!(redactor.stream_at(0, 0).push(marked, &mut output).is_ok());
    assert!(redactor.stream_at(1, 0).push(marked, &mut output).is_err());
}
