//! Rendering: a shape and a seed become bytes.

use crate::machine;
use crate::person::{Person, grouped};
use crate::planted::Planted;
use crate::rng::Rng;
use crate::shape::{Node, Piece, Text};
use crate::shapes::Shapes;
use crate::slot::{Number, Slot, Value};
use crate::texts::Blocks;
use std::io::Write;

pub(crate) const DIGITS: &[u8] = b"0123456789";
pub(crate) const HEX: &[u8] = b"0123456789abcdef";
const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CAPITALS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The part of ids that all objects of one account share.
const ACCOUNT: &str = "LkdIwHu7ix";

/// How many blocks a text has at most.
const BLOCKS_MAX: usize = 12;

/// White space between the parts of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    /// One member a line, two spaces a level: as Stripe prints.
    Pretty,
    Compact,
    /// A space behind commas and colons and nothing but ASCII: as Python prints.
    Spaced,
}

/// State of rendering: who is spoken of, what was planted.
#[derive(Debug)]
pub(crate) struct Renderer<'s> {
    shapes: &'s Shapes,
    pub(crate) rng: Rng,
    people: [Person; 2],
    pub(crate) planted: Planted,
}

impl<'s> Renderer<'s> {
    pub(crate) fn new(shapes: &'s Shapes, seed: u64) -> Renderer<'s> {
        let mut rng = Rng::new(seed);
        let people = [Person::draw(&mut rng), Person::draw(&mut rng)];
        Renderer { shapes, rng, people, planted: Planted::default() }
    }

    /// Appends the shape of a name, about other people than before.
    pub(crate) fn shape(&mut self, out: &mut Vec<u8>, name: &str, layout: Layout) {
        self.meet();
        self.node(out, self.shapes.named(name), layout);
    }

    /// Appends one element of the shape of a name, about other people than before.
    pub(crate) fn element_of(&mut self, out: &mut Vec<u8>, name: &str, layout: Layout) {
        self.meet();
        self.element(out, self.shapes.named(name), layout);
    }

    fn meet(&mut self) {
        self.people = [Person::draw(&mut self.rng), Person::draw(&mut self.rng)];
    }

    fn node(&mut self, out: &mut Vec<u8>, node: &Node, layout: Layout) {
        match node {
            Node::Object(members) => self.object(out, members, layout),
            Node::Array(elements) => self.array(out, elements, layout),
            Node::Scalar(scalar) => out.extend_from_slice(scalar.as_bytes()),
            Node::Text(text) => {
                out.push(b'"');
                self.text(out, text);
                out.push(b'"');
            }
            Node::Number(number) => self.number(out, number),
            Node::Maybe(percent, node) => {
                if self.rng.below(100) < *percent {
                    self.node(out, node, layout);
                } else {
                    out.extend_from_slice(b"null");
                }
            }
            Node::Shape(choice) => {
                let shape = self.rng.pick(choice);
                self.node(out, self.shapes.node(shape), layout);
            }
            Node::ElementOf(shape) => self.element(out, self.shapes.node(*shape), layout),
            Node::Repeat { shape, .. } => self.node(out, self.shapes.node(*shape), layout),
            Node::Embedded { shape, element } => self.embedded(out, *shape, *element),
            Node::Written(sort) => {
                let mut text = Vec::new();
                self.written(&mut text, *sort);
                out.push(b'"');
                escape(out, &text, false);
                out.push(b'"');
            }
        }
    }

    fn element(&mut self, out: &mut Vec<u8>, node: &Node, layout: Layout) {
        match node {
            Node::Array(elements) => {
                let element = &elements[self.rng.index(elements.len())];
                self.node(out, element, layout);
            }
            other => self.node(out, other, layout),
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, members: &[(String, Node)], layout: Layout) {
        let inside = layout.deeper();
        out.push(b'{');
        for (at, (name, node)) in members.iter().enumerate() {
            inside.separate(out, at == 0);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(if layout.style == Style::Compact { b"\":" } else { b"\": " });
            self.node(out, node, inside);
        }
        layout.close(out, members.is_empty());
        out.push(b'}');
    }

    fn array(&mut self, out: &mut Vec<u8>, elements: &[Node], layout: Layout) {
        let inside = layout.deeper();
        let mut first = true;
        out.push(b'[');
        for node in elements {
            let times = match node {
                Node::Repeat { low, high, .. } => self.rng.between(*low, *high),
                _ => 1,
            };
            for _ in 0..times {
                inside.separate(out, first);
                first = false;
                self.node(out, node, inside);
            }
        }
        layout.close(out, first);
        out.push(b']');
    }

    fn text(&mut self, out: &mut Vec<u8>, text: &Text) {
        for piece in text {
            match piece {
                Piece::Raw(raw) => out.extend_from_slice(raw.as_bytes()),
                Piece::OneOf(texts) => {
                    let text = &texts[self.rng.index(texts.len())];
                    self.text(out, text);
                }
                Piece::Slot(Slot { value: Value::Prose(low, high), .. }) => {
                    self.prose(out, *low, *high);
                }
                Piece::Slot(slot) => {
                    if let Some(plant) = slot.plant() {
                        self.planted.add(plant);
                    }
                    self.value(out, slot);
                }
            }
        }
    }

    fn prose(&mut self, out: &mut Vec<u8>, low: usize, high: usize) {
        let sentences = low + self.rng.index(high - low + 1);
        for at in 0..sentences {
            if at > 0 {
                out.extend_from_slice(if self.rng.below(5) == 0 { b"\\n\\n" } else { b" " });
            }
            if self.rng.below(3) == 0 {
                self.meet();
            }
            let sentence = &self.shapes.prose()[self.rng.index(self.shapes.prose().len())];
            self.text(out, sentence);
        }
    }

    /// How many sorts of texts there are.
    pub(crate) fn sorts(&self) -> usize {
        self.shapes.texts().len()
    }

    /// Some blocks of a sort of text, with a line feed behind each.
    pub(crate) fn written(&mut self, out: &mut Vec<u8>, sort: usize) {
        let Blocks { head, blocks } = &self.shapes.texts()[sort];
        if let Some(head) = head {
            self.text(out, head);
            out.push(b'\n');
        }
        for _ in 0..1 + self.rng.index(BLOCKS_MAX) {
            let block = &blocks[self.rng.index(blocks.len())];
            self.text(out, block);
            out.push(b'\n');
        }
    }

    fn embedded(&mut self, out: &mut Vec<u8>, shape: usize, element: bool) {
        let style = self.rng.pick(&[Style::Compact, Style::Compact, Style::Spaced, Style::Pretty]);
        let mut document = Vec::new();
        let node = self.shapes.node(shape);
        if element {
            self.element(&mut document, node, Layout::new(style));
        } else {
            self.node(&mut document, node, Layout::new(style));
        }
        out.push(b'"');
        escape(out, &document, style == Style::Spaced);
        out.push(b'"');
    }

    fn number(&mut self, out: &mut Vec<u8>, number: &Number) {
        let value = match number {
            Number::Range(low, high) => self.rng.between(*low, *high),
            Number::Amount => {
                let high = self.rng.pick(&[5000, 5000, 20_000, 900_000]);
                self.rng.between(100, high)
            }
            Number::Created => self.rng.between(1_725_000_000, 1_787_000_000),
            Number::Fraction => {
                write_to(out, format_args!("{}.{:03}", self.rng.below(5000), self.rng.below(1000)));
                return;
            }
            Number::OneOf(list) => {
                out.extend_from_slice(list[self.rng.index(list.len())].as_bytes());
                return;
            }
        };
        write_to(out, format_args!("{value}"));
    }

    fn value(&mut self, out: &mut Vec<u8>, slot: &Slot) {
        let person = self.people[usize::from(slot.old)];
        let text = match slot.value {
            Value::Name => person.name(),
            Value::Given => person.given().to_owned(),
            Value::Family => person.family().to_owned(),
            Value::Email => person.email(),
            Value::Phone => person.phone(),
            Value::PhoneUs => person.phone_us(),
            Value::Line1 => person.line1(),
            Value::Line2 => person.line2(),
            Value::City => person.place.city.to_owned(),
            Value::State => person.place.state.to_owned(),
            Value::PostalCode => person.place.postal_code.to_owned(),
            Value::Country => person.place.country.to_owned(),
            Value::Dob => person.birth(),
            Value::Card => person.card.to_owned(),
            Value::CardSpaced => grouped(person.card),
            Value::Iban => person.iban.to_owned(),
            Value::IbanSpaced => grouped(person.iban),
            Value::Ssn => person.ssn.to_owned(),
            _ => return self.random_value(out, slot.value),
        };
        out.extend_from_slice(text.as_bytes());
    }

    /// Values that belong to nobody in particular.
    fn random_value(&mut self, out: &mut Vec<u8>, value: Value) {
        let rng = &mut self.rng;
        match value {
            Value::Digits(len) => rng.fill(out, DIGITS, len),
            Value::Hex(len) => rng.fill(out, HEX, len),
            Value::Alnum(len) => rng.fill(out, ALNUM, len),
            Value::Capitals(len) => rng.fill(out, CAPITALS, len),
            Value::Fingerprint => rng.fill(out, ALNUM, 16),
            Value::Reference(len) => {
                out.push(b'0');
                rng.fill(out, DIGITS, len - 1);
            }
            Value::Short(prefix) => {
                write_to(out, format_args!("{prefix}_"));
                rng.fill(out, ALNUM, 14);
            }
            Value::Long(prefix) => self.long_id(out, prefix),
            Value::Uuid => machine::uuid(rng, out, HEX),
            Value::Machine(machine) => machine.write(rng, out),
            Value::TaxId => out.extend_from_slice(b"DE123456789"),
            Value::AccountNumber => out.extend_from_slice(b"000123456789"),
            Value::RoutingNumber => out.extend_from_slice(b"110000000"),
            Value::BankCode => out.extend_from_slice(b"37040044"),
            // Put together here so that no key stands in the source text.
            Value::AwsKey => out.extend_from_slice(["AKIA", "IOSFODNN7", "EXAMPLE"].concat().as_bytes()),
            Value::ReceiptUrl | Value::InvoiceUrl | Value::InvoicePdf | Value::ClientSecret => {
                self.link(out, value);
            }
            _ => self.place_or_time(out, value),
        }
    }

    fn long_id(&mut self, out: &mut Vec<u8>, prefix: &str) {
        write_to(out, format_args!("{prefix}_3"));
        self.rng.fill(out, ALNUM, 5);
        out.extend_from_slice(ACCOUNT.as_bytes());
        self.rng.fill(out, ALNUM, 8);
    }

    fn link(&mut self, out: &mut Vec<u8>, value: Value) {
        let (head, tail) = match value {
            Value::ReceiptUrl => ("https://pay.stripe.com/receipts/payment/", "?s=ap"),
            Value::InvoiceUrl => ("https://invoice.stripe.com/i/acct_1OBELULkdIwHu7ix/test_", "?s=ap"),
            Value::InvoicePdf => ("https://pay.stripe.com/invoice/acct_1OBELULkdIwHu7ix/test_", "/pdf?s=ap"),
            _ => {
                self.long_id(out, "pi");
                // A filler that secret scanners know for an example.
                return out.extend_from_slice(b"_secret_EXAMPLEexampleEXAMPLEexamp");
            }
        };
        out.extend_from_slice(head.as_bytes());
        self.rng.fill(out, ALNUM, 56);
        out.extend_from_slice(tail.as_bytes());
    }

    fn place_or_time(&mut self, out: &mut Vec<u8>, value: Value) {
        let rng = &mut self.rng;
        match value {
            Value::Ip => {
                let net = rng.pick(&["192.0.2", "198.51.100", "203.0.113"]);
                write_to(out, format_args!("{net}.{}", 1 + rng.below(254)));
            }
            Value::Ipv6 => {
                write_to(
                    out,
                    format_args!("2001:db8:{:x}::{:x}", 1 + rng.below(0xffff), 1 + rng.below(0xffff)),
                );
            }
            Value::Version => {
                write_to(out, format_args!("{}.{}.{}", rng.below(9), rng.below(30), rng.below(20)));
            }
            Value::Date => {
                write_to(out, format_args!("2026-{:02}-{:02}", 1 + rng.below(12), 1 + rng.below(28)));
            }
            Value::Time => {
                write_to(out, format_args!("2026-{:02}-{:02}T", 1 + rng.below(12), 1 + rng.below(28)));
                let (hour, minute, second) = (rng.below(24), rng.below(60), rng.below(60));
                write_to(out, format_args!("{hour:02}:{minute:02}:{second:02}.{:03}Z", rng.below(1000)));
            }
            _ => {}
        }
    }
}

/// How deep and in which style a value stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    style: Style,
    depth: usize,
}

impl Layout {
    pub(crate) fn new(style: Style) -> Layout {
        Layout { style, depth: 0 }
    }

    /// The layout of what stands one level further in.
    pub(crate) fn deeper(self) -> Layout {
        Layout { depth: self.depth + 1, ..self }
    }

    /// What stands before a member or element.
    pub(crate) fn separate(self, out: &mut Vec<u8>, first: bool) {
        if !first {
            out.push(b',');
        }
        match self.style {
            Style::Pretty => self.line(out),
            Style::Spaced if !first => out.push(b' '),
            _ => {}
        }
    }

    /// What stands before the closing bracket.
    pub(crate) fn close(self, out: &mut Vec<u8>, empty: bool) {
        if self.style == Style::Pretty && !empty {
            self.line(out);
        }
    }

    fn line(self, out: &mut Vec<u8>) {
        out.push(b'\n');
        out.resize(out.len() + 2 * self.depth, b' ');
    }
}

/// Appends a document as the body of a string.
fn escape(out: &mut Vec<u8>, document: &[u8], ascii: bool) {
    for sign in document.utf8_chunks().flat_map(|chunk| chunk.valid().chars()) {
        match sign {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\t' => out.extend_from_slice(b"\\t"),
            sign if ascii && !sign.is_ascii() => {
                // The inner document holds the escape, so its backslash is escaped once more.
                write_to(out, format_args!("\\\\u{:04x}", u32::from(sign)));
            }
            sign => out.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Writing to a vector cannot fail.
pub(crate) fn write_to(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes every byte");
}
