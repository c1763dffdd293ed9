//! How fast the lexer reads, for each instruction set: `cargo run --release -p obelus-json --example speed`.
//!
//! Made-up objects as a payment API writes them, in chunks of 64 KiB; the visitor only counts. Each chunk counts with
//! its best round, so that what else the machine does falls out.

use obelus_json::filter::{ByteSet, Filter, Window};
use obelus_json::{Arch, Bracket, Hits, Lexer, Mode, Part, Scalar, StringFlags, Visitor};
use std::io::{self, Write as _};
use std::ops::Range;
use std::time::{Duration, Instant};

const TEXT_BYTES: usize = 8 << 20;
const CHUNK_BYTES: usize = 64 << 10;
const ROUNDS: usize = 30;

#[derive(Default)]
struct Count {
    names: usize,
    strings: usize,
    flagged: usize,
    others: usize,
}

impl Visitor for Count {
    type Stop = ();

    fn open(&mut self, _: Bracket, _: usize) -> Result<(), ()> {
        self.others += 1;
        Ok(())
    }

    fn close(&mut self, _: Bracket, _: usize) -> Result<(), ()> {
        self.others += 1;
        Ok(())
    }

    fn name(&mut self, _: Range<usize>, _: StringFlags, _: Hits<'_>) -> Result<(), ()> {
        self.names += 1;
        Ok(())
    }

    fn string(&mut self, body: Range<usize>, _: Part, flags: StringFlags, _: Hits<'_>) -> Result<usize, ()> {
        self.strings += 1;
        self.flagged += usize::from(flags.contains(StringFlags::CANDIDATE));
        Ok(body.end)
    }

    fn scalar(&mut self, _: Scalar, _: Range<usize>) -> Result<(), ()> {
        self.others += 1;
        Ok(())
    }

    fn document(&mut self, _: usize) -> Result<(), ()> {
        Ok(())
    }
}

/// Twenty windows in four buckets: an address sign, digits in several shapes, literals.
fn filter() -> Filter {
    let digit = ByteSet::DIGIT;
    let loose = digit.or(ByteSet::of(b" -."));
    let mut windows = vec![
        (Window::head(&[ByteSet::of(b"@"), ByteSet::ALPHA.or(digit)]), 8),
        (Window { sets: [digit, digit, digit, digit, loose, loose, loose, loose] }, 9),
        (Window::head(&[digit, digit, digit, ByteSet::of(b"-"), digit]), 9),
        (Window::head(&[ByteSet::of(b"+"), digit, loose, loose]), 9),
        (Window::head(&[ByteSet::of(b"("), digit, digit, digit, ByteSet::of(b")")]), 9),
        (
            Window::head(&[
                ByteSet::range(b'A', b'Z'),
                ByteSet::range(b'A', b'Z'),
                digit,
                digit,
                ByteSet::HEX,
            ]),
            10,
        ),
    ];
    let literals =
        ["AKIA", "ASIA", "eyJ", "ghp_", "gho_", "glpat-", "xoxb-", "xoxp-", "whsec_", "-----BEGIN"];
    windows.extend(literals.map(|text| (Window::literal(text.as_bytes()), 11)));
    for (kind, mode) in [("sk", "live"), ("sk", "test"), ("rk", "live"), ("rk", "test")] {
        windows.push((Window::literal([kind, mode, ""].join("_").as_bytes()), 11));
    }
    Filter::new(&windows)
}

/// One object; `eol` and `tab` say how it is laid out.
fn object(number: usize, eol: &str, tab: &str, gap: &str) -> String {
    let mut text = String::new();
    let members = [
        ("id", format!("\"ch_3{number:08}LkdIwHu7ixZ{:05}\"", number % 90_001)),
        ("object", "\"charge\"".to_owned()),
        ("amount", (number * 37 % 100_000).to_string()),
        ("balance_transaction", format!("\"txn_1{number:08}Lkd7H2eZvKYlo\"")),
        ("currency", "\"usd\"".to_owned()),
        ("captured", "true".to_owned()),
        ("created", (1_700_000_000 + number).to_string()),
        ("customer", "null".to_owned()),
        ("description", format!("\"Order {} of the spring catalogue\"", number % 1000)),
        ("receipt_email", format!("\"jenny.{}@example.com\"", number % 777)),
        ("receipt_url", format!("\"https://pay.example.com/receipts/payment/{number:012}\"")),
        ("metadata", "{}".to_owned()),
        (
            "outcome",
            format!("{{{gap}\"network_status\":{gap}\"approved_by_network\",{gap}\"risk_score\":{gap}12}}"),
        ),
        ("livemode", "false".to_owned()),
        ("paid", "true".to_owned()),
        ("status", "\"succeeded\"".to_owned()),
    ];
    text.push('{');
    for (idx, (name, value)) in members.iter().enumerate() {
        let comma = if idx == 0 { "" } else { "," };
        text.extend([comma, eol, tab, "\"", name, "\":", gap, value]);
    }
    text + eol + "}\n"
}

fn corpus(eol: &str, tab: &str, gap: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(TEXT_BYTES + 4096);
    for number in 0.. {
        if text.len() >= TEXT_BYTES {
            break;
        }
        text.extend_from_slice(object(number, eol, tab, gap).as_bytes());
    }
    text
}

/// Reads the text once and keeps the best time of each chunk.
fn read(arch: Arch, filter: &Filter, text: &[u8], best: &mut [Duration]) -> Option<Count> {
    let (mut lexer, mut count, mut at) = (Lexer::new(Mode::Sequence, 64), Count::default(), 0);
    for best in best {
        let end = text.len().min(at + CHUNK_BYTES);
        let start = Instant::now();
        let run = lexer.run(arch, filter, &text[at..end], end == text.len(), &mut count);
        *best = start.elapsed().min(*best);
        at += run.ok()?.need_from;
    }
    Some(count)
}

fn main() -> io::Result<()> {
    let filter = filter();
    let mut out = io::stdout();
    for (layout, text) in [("pretty", corpus("\n", "  ", " ")), ("compact", corpus("", "", ""))] {
        for arch in Arch::available() {
            // What a lexeme across a border costs moves the next chunk back; one more takes what is left.
            let mut best = vec![Duration::MAX; text.len() / CHUNK_BYTES + 2];
            let mut count = Count::default();
            for _ in 0..ROUNDS {
                count = read(arch, &filter, &text, &mut best).ok_or(io::ErrorKind::InvalidData)?;
            }
            let time: Duration = best.iter().sum();
            let speed = text.len() as f64 / time.as_secs_f64() / 1e6;
            let Count { names, strings, flagged, others } = count;
            writeln!(
                out,
                "{layout:8} {:7} {speed:6.0} MB/s   {names} names, {strings} strings, {flagged} flagged, {others} others",
                arch.name()
            )?;
        }
    }
    Ok(())
}
