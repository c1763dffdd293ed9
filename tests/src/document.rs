//! Documents from random bytes: personal values planted in Stripe-like and arbitrary JSON, in every disguise.
//!
//! The bytes decide; when they run out every choice is the first. So a property test that shrinks the bytes
//! shrinks the document, and a fuzzer that changes them changes it a little.

use crate::cases::fill;

/// Choices taken from bytes.
#[derive(Clone, Debug)]
pub struct Dice<'a> {
    bytes: &'a [u8],
}

impl<'a> Dice<'a> {
    /// Dice that fall as `bytes` say.
    pub fn new(bytes: &'a [u8]) -> Dice<'a> {
        Dice { bytes }
    }

    /// A number below `sides`, at most 256; 0 once the bytes have run out.
    pub fn roll(&mut self, sides: usize) -> usize {
        let Some((&byte, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(byte) % sides.max(1)
    }

    /// True once in `sides`; never once the bytes have run out.
    pub fn once_in(&mut self, sides: usize) -> bool {
        !self.bytes.is_empty() && self.roll(sides) == 0
    }

    /// One of some things.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.roll(things.len())]
    }
}

/// Values that must never come out, wherever a detector reads them.
pub const PLANTED: [&str; 12] = [
    "jenny.rosen@example.com",
    "4242 4242 4242 4242",
    "378282246310005",
    "5555-5555-5555-4444",
    "+1 (201) 555-0123",
    "DE89370400440532013000",
    "078-05-1120",
    "203.0.113.77",
    "2001:db8::8a2e:370:7334",
    "<<sk>>",
    "<<aws>>",
    "<<jwt>>",
];

const PROSE: [&str; 17] = [
    "",
    "paid",
    "usd",
    "Thanks for your visit",
    "T-shirt, size M (2 pieces)",
    "Größe 42 – schön",
    "日本語のテキスト",
    "😀 ok",
    "a\\b/c\"d",
    "line one\nline two\ttab",
    "2026-04-07T12:30:45Z",
    "v1.10.2.3",
    "[email]",
    "{not json",
    "email",
    "E-mail *",
    "db_password",
];

const IDS: [&str; 6] = [
    "cus_ObelusTest0001",
    "ch_3ObelusTest000000000001",
    "pi_3ObelusTest000000000001",
    "evt_1ObelusTest00000000001",
    "prod_ObelusTest001",
    "in_1ObelusTest000000000001",
];

const TYPES: [&str; 7] = ["customer", "charge", "product", "event", "list", "something_else", "source"];

const NAMES: [&str; 38] = [
    "id",
    "object",
    "name",
    "email",
    "phone",
    "address",
    "line1",
    "city",
    "country",
    "billing_details",
    "shipping",
    "card",
    "last4",
    "number",
    "cvc",
    "exp_month",
    "amount",
    "currency",
    "description",
    "metadata",
    "data",
    "previous_attributes",
    "customer",
    "owner",
    "firstName",
    "last_name",
    "ip",
    "iban",
    "value",
    "key",
    "type",
    "label",
    "content",
    "arguments",
    "x",
    "straße",
    "a/b~c",
    "",
];

const NUMBERS: [&str; 10] = [
    "0",
    "-1",
    "1099",
    "4242424242424242",
    "4.242424242424242e15",
    "1e5",
    "1.50",
    "1700000000",
    "123",
    "2E-7",
];

/// A document: mostly one, sometimes several texts one after the other.
pub fn document(bytes: &[u8]) -> Vec<u8> {
    let mut dice = Dice::new(bytes);
    let mut out = String::new();
    let texts = 1 + if dice.once_in(6) { dice.roll(3) } else { 0 };
    for at in 0..texts {
        if at > 0 {
            out.push('\n');
        }
        Maker { dice: &mut dice, strict: true, levels: 3 }.value(&mut out, 4, true);
    }
    out.into_bytes()
}

/// The text of one value at a given nesting.
struct Maker<'d, 'b> {
    dice: &'d mut Dice<'b>,
    /// Whether strings must be escaped as the standard says (JSON in strings may be careless).
    strict: bool,
    /// How much deeper strings may hold JSON.
    levels: usize,
}

impl Maker<'_, '_> {
    fn value(&mut self, out: &mut String, depth: usize, is_root: bool) {
        let kinds = if depth == 0 { 4 } else { 8 };
        let kind = if is_root { 4 + self.dice.roll(4) } else { self.dice.roll(kinds) };
        match kind {
            0 | 1 => self.string_value(out),
            2 => out.push_str(self.dice.pick(&NUMBERS)),
            3 => out.push_str(self.dice.pick(&["null", "true", "false"])),
            7 => self.array(out, depth),
            _ => self.object(out, depth),
        }
    }

    fn space(&mut self, out: &mut String) {
        if self.dice.once_in(4) {
            out.push_str(self.dice.pick(&[" ", "\n  ", "\t", "\r\n"]));
        }
    }

    fn array(&mut self, out: &mut String, depth: usize) {
        out.push('[');
        for at in 0..self.dice.roll(4) {
            if at > 0 {
                out.push(',');
            }
            self.space(out);
            self.value(out, depth - 1, false);
        }
        self.space(out);
        out.push(']');
    }

    fn object(&mut self, out: &mut String, depth: usize) {
        out.push('{');
        let type_at = self.dice.roll(8);
        for at in 0..self.dice.roll(7) {
            if at > 0 {
                out.push(',');
            }
            self.space(out);
            let (name, value) = match at {
                _ if at == type_at => ("object".to_owned(), Some(self.dice.pick(&TYPES))),
                0 if type_at == 1 => ("id".to_owned(), Some(self.dice.pick(&IDS))),
                _ => (self.name(), None),
            };
            self.quoted(&name, out);
            self.space(out);
            out.push(':');
            self.space(out);
            match value {
                Some(value) => self.quoted(value, out),
                None => self.value(out, depth - 1, false),
            }
        }
        self.space(out);
        out.push('}');
    }

    fn name(&mut self) -> String {
        if self.dice.once_in(12) { fill(self.dice.pick(&PLANTED)) } else { self.dice.pick(&NAMES).to_owned() }
    }

    fn string_value(&mut self, out: &mut String) {
        let text = match self.dice.roll(8) {
            0 | 1 => self.dice.pick(&PROSE).to_owned(),
            2 => fill(self.dice.pick(&PLANTED)),
            3 => format!(
                "{} {} {}",
                self.dice.pick(&PROSE),
                fill(self.dice.pick(&PLANTED)),
                self.dice.pick(&PROSE)
            ),
            4 => self.dice.pick(&IDS).to_owned(),
            5 => self.disguised(),
            6 if self.levels > 0 => self.inner(),
            _ => "Jenny Rosen".to_owned(),
        };
        // Longer than the engine keeps in one piece.
        let text = if self.dice.once_in(24) { format!("{text} ").repeat(self.dice.roll(256)) } else { text };
        self.quoted(&text, out);
    }

    /// A planted value in digits of another script, or between invisible characters.
    fn disguised(&mut self) -> String {
        let plain = fill(self.dice.pick(&PLANTED));
        match self.dice.roll(4) {
            0 => plain.chars().map(|unit| widen(unit, 0xFF10)).collect(),
            1 => plain.chars().map(|unit| widen(unit, 0x0660)).collect(),
            2 => plain.chars().flat_map(|unit| ['\u{AD}', unit]).collect(),
            _ => plain.chars().flat_map(|unit| [unit, '\u{200B}']).collect(),
        }
    }

    /// JSON to be put into a string: whole, cut off, or with something behind it.
    fn inner(&mut self) -> String {
        let mut text = String::new();
        let strict = !self.dice.once_in(3);
        let levels = self.levels - 1;
        Maker { dice: &mut *self.dice, strict, levels }.value(&mut text, 2, true);
        match self.dice.roll(6) {
            0 => text.push_str(" and jenny.rosen@example.com"),
            1 => {
                let keep = self.dice.roll(text.chars().count() + 1);
                text = text.chars().take(keep).collect();
            }
            2 => text.insert_str(0, " \n"),
            _ => {}
        }
        text
    }

    fn quoted(&mut self, text: &str, out: &mut String) {
        out.push('"');
        let often = self.dice.pick(&[256, 256, 20, 3]);
        for unit in text.chars() {
            let must = matches!(unit, '"' | '\\') || self.strict && unit < ' ';
            if must || self.dice.once_in(often) {
                self.escaped(unit, out);
            } else {
                out.push(unit);
            }
        }
        out.push('"');
    }

    fn escaped(&mut self, unit: char, out: &mut String) {
        let short = match unit {
            '"' => Some('"'),
            '\\' => Some('\\'),
            '/' => Some('/'),
            '\n' => Some('n'),
            '\t' => Some('t'),
            '\r' => Some('r'),
            _ => None,
        };
        if let Some(short) = short
            && !self.dice.once_in(4)
        {
            out.push('\\');
            out.push(short);
            return;
        }
        let upper = self.dice.once_in(2);
        let mut halves = [0; 2];
        for half in unit.encode_utf16(&mut halves) {
            out.push_str(&if upper { format!("\\u{half:04X}") } else { format!("\\u{half:04x}") });
        }
    }
}

fn widen(unit: char, zero: u32) -> char {
    unit.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(unit)
}
