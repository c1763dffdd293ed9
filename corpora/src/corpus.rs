//! The kinds of corpora, piece by piece.

use crate::Kind;
use crate::render::{Layout, Renderer, Style, write_to};

/// The objects that lists hold, and where the interface lists them.
const LISTED: &[(&str, &str)] = &[
    ("customer", "/v1/customers"),
    ("charge", "/v1/charges"),
    ("payment_intent", "/v1/payment_intents"),
    ("invoice", "/v1/invoices"),
    ("dispute", "/v1/disputes"),
    ("refund", "/v1/refunds"),
    ("subscription", "/v1/subscriptions"),
];

/// What a page holds at most.
const PAGE_MAX: u64 = 100;
/// Small corpora have shorter pages, so that they show each type of object: one more object for this many bytes.
const BYTES_PER_PAGE_OBJECT: u64 = 24 * 1024;

/// What quiet lines hold, the commonest more than once.
const QUIET: &[&str] = &[
    "quiet_logs",
    "quiet_logs",
    "quiet_logs",
    "quiet_spans",
    "quiet_models",
    "quiet_stripe",
    "quiet_stripe",
    "clean",
];

const CHAT_BYTES_MIN: usize = 2 * 1024;
const CHAT_BYTES_MAX: usize = 128 * 1024;

/// Appends pieces of one corpus until it is as long as it should be.
#[derive(Debug)]
pub(crate) struct Corpus<'s> {
    kind: Kind,
    bytes_min: u64,
    pieces: usize,
    ended: bool,
    renderer: Renderer<'s>,
}

impl<'s> Corpus<'s> {
    pub(crate) fn new(kind: Kind, bytes_min: u64, renderer: Renderer<'s>) -> Corpus<'s> {
        Corpus { kind, bytes_min, pieces: 0, ended: false, renderer }
    }

    pub(crate) fn renderer(&self) -> &Renderer<'s> {
        &self.renderer
    }

    /// Appends the next piece, `written` bytes into the corpus. Says whether there was one.
    pub(crate) fn piece(&mut self, out: &mut Vec<u8>, written: u64) -> bool {
        if self.ended {
            return false;
        }
        let full = written >= self.bytes_min && self.pieces > 0;
        match self.kind {
            Kind::StripeCompact => self.compact_list(out, full),
            _ if full => self.ended = true,
            Kind::StripeList => self.page(out),
            Kind::Events => self.line(out, "events"),
            Kind::Clean => self.line(out, "clean"),
            Kind::Dense => self.line(out, "dense"),
            Kind::Chat => self.chat(out),
            Kind::Quiet => {
                let shape = self.renderer.rng.pick(QUIET);
                self.line(out, shape);
            }
            Kind::QuietText => {
                let sort = self.renderer.rng.index(self.renderer.sorts());
                self.renderer.written(out, sort);
                out.push(b'\n');
            }
        }
        self.pieces += 1;
        !out.is_empty()
    }

    fn line(&mut self, out: &mut Vec<u8>, shape: &str) {
        self.renderer.element_of(out, shape, Layout::new(Style::Compact));
        out.push(b'\n');
    }

    /// A page of one type of object, printed as Stripe prints.
    fn page(&mut self, out: &mut Vec<u8>) {
        let (shape, url) = LISTED[self.pieces % LISTED.len()];
        let objects = (self.bytes_min / BYTES_PER_PAGE_OBJECT).clamp(2, PAGE_MAX);
        let members = Layout::new(Style::Pretty).deeper();
        let elements = members.deeper();
        out.extend_from_slice(b"{\n  \"object\": \"list\",\n  \"data\": [");
        for at in 0..objects {
            elements.separate(out, at == 0);
            self.renderer.shape(out, shape, elements);
        }
        members.close(out, false);
        let more = self.renderer.rng.below(4) > 0;
        write_to(out, format_args!("],\n  \"has_more\": {more},\n  \"url\": \"{url}\"\n}}\n"));
    }

    /// The head and the first object, then one object a piece, then the tail.
    fn compact_list(&mut self, out: &mut Vec<u8>, full: bool) {
        if full {
            out.extend_from_slice(b"],\"has_more\":false,\"url\":\"/v1/search\"}\n");
            self.ended = true;
            return;
        }
        out.extend_from_slice(if self.pieces == 0 { b"{\"object\":\"list\",\"data\":[" } else { b"," });
        let (shape, _) = LISTED[self.pieces % LISTED.len()];
        self.renderer.shape(out, shape, Layout::new(Style::Compact));
    }

    /// One request or response of a model interface, small ones more often than large ones.
    fn chat(&mut self, out: &mut Vec<u8>) {
        let layout = Layout::new(Style::Compact);
        match self.renderer.rng.below(20) {
            0..=6 => self.chat_request(out, "openai", "tools_openai"),
            7..=13 => self.chat_request(out, "anthropic", "tools_anthropic"),
            14..=16 => self.renderer.element_of(out, "openai_response", layout),
            _ => self.renderer.element_of(out, "anthropic_response", layout),
        }
        out.push(b'\n');
    }

    fn chat_request(&mut self, out: &mut Vec<u8>, messages: &str, tools: &str) {
        let layout = Layout::new(Style::Compact);
        let bytes = self.chat_bytes();
        let rest = if messages == "openai" {
            out.extend_from_slice(
                b"{\"model\":\"example-large\",\"messages\":[{\"role\":\"system\",\"content\":",
            );
            self.renderer.shape(out, "system", layout);
            out.push(b'}');
            &b"],\"temperature\":0.2,\"stream\":true,\"tools\":"[..]
        } else {
            out.extend_from_slice(b"{\"model\":\"example-large\",\"max_tokens\":4096,\"system\":");
            self.renderer.shape(out, "system", layout);
            out.extend_from_slice(b",\"messages\":[");
            self.renderer.element_of(out, messages, layout);
            b"],\"stream\":true,\"tools\":"
        };
        while out.len() < bytes {
            out.push(b',');
            self.renderer.element_of(out, messages, layout);
        }
        out.extend_from_slice(rest);
        self.renderer.shape(out, tools, layout);
        out.push(b'}');
    }

    /// A length whose logarithm is uniform; in small corpora not more than a quarter of the whole.
    fn chat_bytes(&mut self) -> usize {
        let longest = usize::try_from(self.bytes_min / 4).unwrap_or(CHAT_BYTES_MAX);
        let longest = longest.clamp(2 * CHAT_BYTES_MIN, CHAT_BYTES_MAX);
        let doublings = (longest / CHAT_BYTES_MIN).ilog2();
        let low = CHAT_BYTES_MIN << self.renderer.rng.below(u64::from(doublings));
        low + self.renderer.rng.index(low)
    }
}
