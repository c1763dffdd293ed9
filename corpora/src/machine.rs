//! Values that machines make: ids, digests, times, versions, identifiers. None of them belongs to a person.

use crate::render::{DIGITS, HEX, write_to};
use crate::rng::Rng;

const UPPER_HEX: &[u8] = b"0123456789ABCDEF";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Without vowels and signs that look alike, as in the names of pods.
const BASE32: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The two years that times lie in, as Unix seconds.
const FROM: i64 = 1_725_000_000;
const TO: i64 = 1_787_000_000;

const WORDS: &[&str] = &[
    "account",
    "alias",
    "archive",
    "attempt",
    "backend",
    "backup",
    "badge",
    "balance",
    "batch",
    "block",
    "branch",
    "bucket",
    "buffer",
    "build",
    "bundle",
    "cache",
    "canvas",
    "cart",
    "catalog",
    "channel",
    "chunk",
    "client",
    "cluster",
    "column",
    "commit",
    "config",
    "counter",
    "cursor",
    "daemon",
    "deploy",
    "digest",
    "drive",
    "edge",
    "element",
    "engine",
    "entry",
    "epoch",
    "event",
    "export",
    "factor",
    "feature",
    "field",
    "filter",
    "flag",
    "folder",
    "frame",
    "gateway",
    "graph",
    "group",
    "handler",
    "header",
    "health",
    "index",
    "ingest",
    "invoice",
    "issue",
    "item",
    "job",
    "journal",
    "kernel",
    "label",
    "lane",
    "layer",
    "ledger",
    "limit",
    "link",
    "list",
    "lock",
    "loop",
    "manifest",
    "margin",
    "memory",
    "merge",
    "metric",
    "mirror",
    "module",
    "monitor",
    "network",
    "node",
    "notice",
    "offset",
    "option",
    "order",
    "origin",
    "output",
    "package",
    "parser",
    "partition",
    "patch",
    "pixel",
    "plan",
    "plugin",
    "point",
    "policy",
    "pool",
    "port",
    "price",
    "probe",
    "profile",
    "queue",
    "quota",
    "range",
    "ratio",
    "record",
    "region",
    "release",
    "render",
    "report",
    "request",
    "result",
    "retry",
    "route",
    "runner",
    "sample",
    "schedule",
    "schema",
    "scope",
    "search",
    "segment",
    "server",
    "session",
    "shard",
    "signal",
    "slot",
    "source",
    "stage",
    "state",
    "step",
    "stock",
    "storage",
    "stream",
    "summary",
    "table",
    "target",
    "task",
    "tenant",
    "thread",
    "ticket",
    "timer",
    "token",
    "topic",
    "trace",
    "track",
    "trigger",
    "tunnel",
    "unit",
    "update",
    "upload",
    "usage",
    "vector",
    "vendor",
    "version",
    "view",
    "volume",
    "wallet",
    "warehouse",
    "window",
    "worker",
    "zone",
];

/// How the words of an identifier are joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Case {
    Snake,
    Kebab,
    Camel,
    Pascal,
    Upper,
    Path,
}

/// What a machine makes. Values with a length or a range carry it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Machine {
    Int(i64, i64),
    UpperHex(usize),
    Base64(usize),
    Base64Url(usize),
    Base32(usize),
    Ulid,
    UpperUuid,
    /// A time since 1970 with this many digits behind the seconds.
    Unix(usize),
    /// A time in one of the forms that logs have.
    Stamp,
    /// A version of three parts, now and then with what may follow them.
    Release,
    /// A version of four parts.
    Build,
    Float,
    Money,
    Word,
    Ident(Case),
    Thread,
}

impl Machine {
    pub(crate) fn parse(name: &str, first: Option<&str>, second: Option<&str>) -> Option<Machine> {
        let len = || first?.parse().ok();
        Some(match name {
            "int" => Machine::Int(first?.parse().ok()?, second?.parse().ok()?),
            "HEX" => Machine::UpperHex(len()?),
            "base64" => Machine::Base64(len()?),
            "base64url" => Machine::Base64Url(len()?),
            "base32" => Machine::Base32(len()?),
            "unix" => Machine::Unix(match first? {
                "s" => 0,
                "ms" => 3,
                "us" => 6,
                "ns" => 9,
                _ => return None,
            }),
            "ulid" => Machine::Ulid,
            "UUID" => Machine::UpperUuid,
            "stamp" => Machine::Stamp,
            "release" => Machine::Release,
            "build" => Machine::Build,
            "float" => Machine::Float,
            "money" => Machine::Money,
            "word" => Machine::Word,
            "snake" => Machine::Ident(Case::Snake),
            "kebab" => Machine::Ident(Case::Kebab),
            "camel" => Machine::Ident(Case::Camel),
            "Pascal" => Machine::Ident(Case::Pascal),
            "CONST" => Machine::Ident(Case::Upper),
            "path" => Machine::Ident(Case::Path),
            "thread" => Machine::Thread,
            _ => return None,
        })
    }

    pub(crate) fn write(self, rng: &mut Rng, out: &mut Vec<u8>) {
        match self {
            Machine::Int(low, high) => write_to(out, format_args!("{}", rng.between(low, high))),
            Machine::UpperHex(len) => rng.fill(out, UPPER_HEX, len),
            Machine::Base64(len) => rng.fill(out, BASE64, len),
            Machine::Base64Url(len) => rng.fill(out, BASE64_URL, len),
            Machine::Base32(len) => rng.fill(out, BASE32, len),
            Machine::Ulid => {
                out.extend_from_slice(b"01");
                rng.fill(out, CROCKFORD, 24);
            }
            Machine::UpperUuid => uuid(rng, out, UPPER_HEX),
            Machine::Unix(digits) => {
                write_to(out, format_args!("{}", rng.between(FROM, TO)));
                rng.fill(out, DIGITS, digits);
            }
            Machine::Stamp => stamp(rng, out),
            Machine::Release | Machine::Build => version(rng, out, self),
            Machine::Float => write_to(out, format_args!("{}.{:03}", rng.below(5000), rng.below(1000))),
            Machine::Money => {
                let cents = rng.below(100);
                match rng.below(90) {
                    0 => write_to(out, format_args!("0.{cents:02}")),
                    thousands => write_to(out, format_args!("{thousands},{:03}.{cents:02}", rng.below(1000))),
                }
            }
            Machine::Word => out.extend_from_slice(word(rng).as_bytes()),
            Machine::Ident(case) => ident(rng, out, case),
            Machine::Thread => write_to(out, format_args!("{}-{}", rng.pick(WORDS), rng.below(64))),
        }
    }
}

/// A word of prose. Behind a token stands a secret, so identifiers may name one and prose may not.
fn word(rng: &mut Rng) -> &'static str {
    let word = rng.pick(WORDS);
    if word == "token" { "ticket" } else { word }
}

pub(crate) fn uuid(rng: &mut Rng, out: &mut Vec<u8>, alphabet: &[u8]) {
    for (at, len) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"" } else { b"-" });
        rng.fill(out, alphabet, len);
    }
}

fn version(rng: &mut Rng, out: &mut Vec<u8>, kind: Machine) {
    write_to(out, format_args!("{}.{}.{}", rng.below(30), rng.below(40), rng.below(90)));
    if kind == Machine::Build {
        return write_to(out, format_args!(".{}", rng.below(9000)));
    }
    match rng.below(8) {
        0 => write_to(out, format_args!("-{}.{}", rng.pick(&["alpha", "beta", "rc"]), rng.below(20))),
        1 => {
            out.extend_from_slice(b"+build.");
            rng.fill(out, HEX, 7);
        }
        2 => write_to(out, format_args!("-SNAPSHOT-{}", rng.between(20_250_101, 20_261_128))),
        _ => {}
    }
}

fn stamp(rng: &mut Rng, out: &mut Vec<u8>) {
    let (month, day) = (1 + rng.below(12), 1 + rng.below(28));
    let (hour, minute, second) = (rng.below(24), rng.below(60), rng.below(60));
    let fraction = rng.below(1_000_000);
    let zone = rng.pick(&["Z", "+00:00", "+05:30", "-08:00"]);
    match rng.below(7) {
        0 => write_to(out, format_args!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")),
        1 => write_to(
            out,
            format_args!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}{zone}"),
        ),
        2 => write_to(
            out,
            format_args!("2026-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{:03}", fraction / 1000),
        ),
        3 => write_to(out, format_args!("2026/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}")),
        4 => write_to(out, format_args!("{day:02}/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000")),
        5 => write_to(out, format_args!("2026{month:02}{day:02}{hour:02}{minute:02}{second:02}")),
        _ => write_to(out, format_args!("Nov {day:2} {hour:02}:{minute:02}:{second:02}")),
    }
}

/// Two or three words in one, or a way through folders.
fn ident(rng: &mut Rng, out: &mut Vec<u8>, case: Case) {
    for at in 0..2 + rng.below(2) {
        let word = rng.pick(WORDS);
        let joint: &[u8] = match case {
            _ if at == 0 => b"",
            Case::Snake | Case::Upper => b"_",
            Case::Kebab => b"-",
            Case::Path => b"/",
            Case::Camel | Case::Pascal => b"",
        };
        out.extend_from_slice(joint);
        let begins = out.len();
        out.extend_from_slice(word.as_bytes());
        match case {
            Case::Upper => out[begins..].make_ascii_uppercase(),
            Case::Pascal => out[begins..=begins].make_ascii_uppercase(),
            Case::Camel if at > 0 => out[begins..=begins].make_ascii_uppercase(),
            _ => {}
        }
    }
    if rng.below(12) == 0 && case != Case::Path {
        write_to(out, format_args!("{}{}", if case == Case::Kebab { "-" } else { "" }, rng.below(100)));
    }
}
