//! Values that wait for evidence (see `wait.rs` for where their output waits).

use crate::finding::Span;
use crate::level::{Scratch, Value, Waiting};
use crate::surrogate;
use crate::wait::Queued;
use crate::walk::{Stop, Walk};
use obelus_fields::{ObjectType, Place, Told, Verdict};
use obelus_json::StringFlags;
use std::ops::Range;

impl Walk<'_, '_> {
    /// Makes the current value wait. Its output begins here; what it is waits for more of its object.
    pub(crate) fn defer(&mut self, range: &Range<usize>, is_number: bool) -> Result<u64, Stop> {
        let span = self.raw(range);
        self.out.pass(span.start)?;
        let mut path = String::new();
        if self.out.reports || !self.compiled.allowed.is_empty() {
            self.set_leaf();
            path.push_str(std::str::from_utf8(self.state.frames.pointer()).unwrap_or_default());
        }
        let doc = self.out.emitted.doc;
        let id = self.out.emitted.queue.open(Queued {
            rule: 0,
            doc,
            path,
            span,
            chars: Span { start: 0, end: 0 },
            allowed: false,
            reason: None,
        });
        let (frame, name, subtree) = self.state.spot();
        if let Some(waiting) = self.state.waiting_mut(frame) {
            *waiting += 1;
        }
        let original = is_number.then(|| self.buf[range.clone()].to_vec());
        let since = self.state.base + range.start as u64;
        self.state.waiting.push(Waiting {
            frame,
            name,
            id,
            at: span.start,
            since,
            is_number,
            subtree,
            original,
        });
        Ok(id)
    }

    /// The value that waits under `id` ends here.
    pub(crate) fn end_deferred(&mut self, id: u64, range: &Range<usize>, chars: u64) -> Result<(), Stop> {
        let span = self.raw(range);
        self.out.pass(span.end)?;
        let start =
            self.state.waiting.iter().find(|waiting| waiting.id == id).map_or(span.start, |found| found.at);
        self.out.emitted.queue.close(id, Span { start, end: span.end }, Span { start: 0, end: chars });
        Ok(())
    }

    /// Asks again for the values of the object at `frame`.
    pub(crate) fn settle_frame(&mut self, frame: usize, closed: bool) -> Result<(), Stop> {
        let place = self.state.place(frame, closed);
        let mut at = 0;
        while at < self.state.waiting.len() {
            let waiting = &self.state.waiting[at];
            let verdict = match waiting.frame == frame {
                true => self.compiled.judge(waiting.name, &Place { subtree: waiting.subtree, ..place }),
                false => Verdict::Undecided,
            };
            match verdict {
                Verdict::Undecided => at += 1,
                verdict => {
                    let waiting = self.state.waiting.remove(at);
                    self.settle(&waiting, verdict);
                }
            }
        }
        Ok(self.out.drain()?)
    }

    /// Carries out what was decided about one value.
    fn settle(&mut self, waiting: &Waiting, verdict: Verdict) {
        if let Some(count) = self.state.waiting_mut(waiting.frame) {
            *count -= 1;
        }
        let fields = &self.compiled.fields;
        match verdict {
            Verdict::Redact(class)
                if !waiting.is_number
                    || self.compiled.takes_number(class, waiting.original.as_deref().unwrap_or_default()) =>
            {
                if self.out.reasons {
                    let place = Place { subtree: waiting.subtree, ..self.state.place(waiting.frame, true) };
                    let reason = fields.reason(waiting.name, &place, class);
                    self.out.emitted.queue.set_reason(waiting.id, reason);
                }
                let rule = self.out.rules.of_class(class);
                let category = self.out.rules.get(rule).category;
                let (allowed, queue) = (&self.compiled.allowed, &mut self.out.emitted.queue);
                if allowed.allows(rule, category, queue.path(waiting.id), waiting.original.as_deref()) {
                    queue.allow(waiting.id, rule);
                    return;
                }
                if let Some(original) = &waiting.original {
                    let Scratch { view, shown, .. } = &mut *self.scratch;
                    view.read(original, StringFlags::NON_ASCII, true);
                    shown.add(self.nesting, category, rule, view.text(original));
                }
                let bytes = match &waiting.original {
                    None => self.compiled.transforms.unseen(category).into(),
                    Some(original) => {
                        let mut bytes = Vec::new();
                        if waiting.is_number {
                            self.push_quote(&mut bytes);
                        }
                        let found = (rule, original.as_slice());
                        surrogate::render(self.compiled, self.out, self.nesting, found, &mut bytes);
                        if waiting.is_number {
                            self.push_quote(&mut bytes);
                        }
                        bytes.into()
                    }
                };
                let bytes = self.out.encoded(bytes);
                self.out.emitted.queue.go(waiting.id, rule, bytes);
            }
            _ => self.out.emitted.queue.stay(waiting.id),
        }
    }

    /// Decides about values that have waited as long as they may. `at` is where the engine stands.
    #[inline]
    pub(crate) fn check_age(&mut self, at: usize) -> Result<(), Stop> {
        let now = self.state.base + at as u64;
        match self.state.waiting.first() {
            Some(oldest) if now - oldest.since > self.compiled.limits.wait_bytes_max => self.settle_aged(now),
            _ => Ok(()),
        }
    }

    #[cold]
    fn settle_aged(&mut self, now: u64) -> Result<(), Stop> {
        while let Some(oldest) = self.state.waiting.first() {
            if now - oldest.since <= self.compiled.limits.wait_bytes_max {
                break;
            }
            if Some(oldest.id) == self.state.deferred {
                return self.cut_current();
            }
            let waiting = self.state.waiting.remove(0);
            let verdict = self.closed_verdict(&waiting);
            self.settle(&waiting, verdict);
        }
        Ok(self.out.drain()?)
    }

    /// What is decided when no more evidence is awaited: as if every doubt were evidence.
    fn closed_verdict(&self, waiting: &Waiting) -> Verdict {
        let mut place = self.state.place(waiting.frame, true);
        place.subtree = waiting.subtree;
        place.in_scope = true;
        if place.own == ObjectType::UNKNOWN {
            place.nearest = ObjectType::UNKNOWN;
        }
        match self.compiled.judge(waiting.name, &place) {
            Verdict::Redact(class) => Verdict::Redact(class),
            _ => {
                let place = Place { siblings: u64::MAX, told: Told::ANYTHING, ..place };
                self.compiled.judge(waiting.name, &place)
            }
        }
    }

    /// The value being read has waited too long by its own length.
    fn cut_current(&mut self) -> Result<(), Stop> {
        let at = self.state.waiting.iter().position(|waiting| Some(waiting.id) == self.state.deferred);
        let Some(at) = at else { return Ok(()) };
        let waiting = self.state.waiting.remove(at);
        match self.closed_verdict(&waiting) {
            Verdict::Redact(class) => {
                if let Some(count) = self.state.waiting_mut(waiting.frame) {
                    *count -= 1;
                }
                let category = self.out.rules.get(self.out.rules.of_class(class)).category;
                let bytes = self.out.encoded(self.compiled.transforms.unseen(category).into());
                self.out.emitted.queue.cut(waiting.id, &bytes);
                self.state.value = Value::Go { class, start: waiting.at };
                if let Some(inner) = self.inner {
                    inner.reset(b"");
                }
            }
            verdict => self.settle(&waiting, verdict),
        }
        self.state.deferred = None;
        Ok(self.out.drain()?)
    }

    /// The level's text ends or is given up: no object of it gets more evidence.
    pub(crate) fn settle_all(&mut self) -> Result<(), Stop> {
        while let Some(waiting) = (!self.state.waiting.is_empty()).then(|| self.state.waiting.remove(0)) {
            let place = self.state.place(waiting.frame, true);
            let place = Place { subtree: waiting.subtree, ..place };
            let verdict = self.compiled.judge(waiting.name, &place);
            self.settle(&waiting, verdict);
        }
        Ok(self.out.drain()?)
    }
}
