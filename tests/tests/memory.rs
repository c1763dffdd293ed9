#![forbid(unsafe_code)]
//! I4: memory is bounded, and a clean byte costs no allocation.

//!
//! Counts are those of a thread, so that neither other tests nor the harness are in them.

use allocation_counter::measure;
use obelus::{ErrorKind, Limits, NullSink, Redactor};

const CHUNK_BYTES: usize = 64 << 10;

/// How often memory may be asked for to read a body of 2 KiB without a finding.
const BODY_ALLOCATIONS_MAX: u64 = 8;

fn redactor() -> Redactor {
    Redactor::builder().build().expect("the default rules compile")
}

/// Lines of one shape, so that the chunk boundaries fall everywhere in them.
fn lines(line: &str, bytes: usize) -> Vec<u8> {
    line.as_bytes().iter().copied().cycle().take(bytes / line.len() * line.len()).collect()
}

/// Pushes `input` again and again, up to `total` bytes. Returns allocations after the first eighth, and the most
/// bytes held.
fn push_all(redactor: &Redactor, input: &[u8], total: usize) -> (u64, usize) {
    let mut stream = redactor.stream();
    let mut held = 0;
    let mut push_up_to = |bytes: usize| {
        let mut pushed = 0;
        while pushed < bytes {
            for chunk in input.chunks(CHUNK_BYTES) {
                stream.push(chunk, &mut NullSink).expect("the input is right");
                held = held.max(stream.held_bytes());
                pushed += chunk.len();
            }
        }
    };
    push_up_to(total / 8);
    let used = measure(|| push_up_to(total - total / 8));
    (used.count_total, held)
}

const CLEAN: &str = concat!(
    r#"{"id":"pi_3ObelusTest000000000001","object":"payment_intent","amount":1099,"created":1700000000,"#,
    r#""currency":"usd","description":"T-shirt, size M","payment_method_types":["card","link"],"livemode":false}"#,
    "\n"
);

#[test]
fn clean_data_costs_no_allocation() {
    let redactor = redactor();
    let (allocations, held) = push_all(&redactor, &lines(CLEAN, 4 << 20), 64 << 20);
    assert_eq!(allocations, 0, "allocations in push once warm");
    assert!(held < 4096, "{held} bytes held");
}

#[test]
fn findings_cost_no_allocation_either() {
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
        let mut held = 0;
        let used = measure(|| {
            for _ in 0..8 {
                for chunk in body.chunks(CHUNK_BYTES) {
                    stream.push(chunk, &mut NullSink).expect("the input is right");
                    held = held.max(stream.held_bytes());
                }
            }
        });
        let live = used.bytes_max;
        assert!(held < 64 << 10, "{name}: {held} bytes held");
        assert!(live < 2 << 20, "{name}: {live} bytes live");
    }
}

#[test]
fn what_cannot_be_held_in_part_is_limited() {
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
            let mut error = None;
            let used = measure(|| {
                let mut stream = redactor.stream();
                let mut chunks = input.as_bytes().chunks(size);
                error = chunks.try_for_each(|chunk| stream.push(chunk, &mut NullSink)).err();
            });
            let error = error.map(|error| format!("{error:?}")).unwrap_or_default();
            assert!(error.contains(&format!("{kind:?}")), "{name} in pieces of {size}: {error}");
            let (used, chunk) = (used.bytes_total, size.min(input.len()) as u64);
            assert!(used < (64 << 10) + 2 * chunk, "{name} in pieces of {size}: {used} bytes");
        }
    }
    assert!(redactor.redact(nested.as_bytes()).is_err_and(|error| error.to_string().contains("depth")));
}

#[test]
fn compiling_takes_little_memory() {
    let mut compiled = None;
    let used = measure(|| compiled = Some(redactor()));
    assert!(used.bytes_max < 64 << 20, "{} bytes at one time", used.bytes_max);
    assert!(used.bytes_current < 8 << 20, "{} bytes kept", used.bytes_current);
    drop(compiled);
}

#[test]
fn a_stream_costs_next_to_nothing() {
    let redactor = redactor();
    let opened = measure(|| drop(redactor.stream()));
    assert_eq!(opened.count_total, 0, "{} bytes", opened.bytes_total);
    let body = lines(CLEAN, 2 << 10);
    let read = measure(|| {
        let mut stream = redactor.stream();
        stream
            .push(&body, &mut NullSink)
            .and_then(|()| stream.finish(&mut NullSink))
            .expect("the input is right");
    });
    assert!(read.count_total <= BODY_ALLOCATIONS_MAX, "{read:?}");
    assert!(read.bytes_total < 16 << 10, "{} bytes", read.bytes_total);
    assert_eq!(read.bytes_current, 0);
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
