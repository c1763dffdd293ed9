//! What a server says in a stream, passed on as it comes. Streams that a server of an older revision breaks off before it
//! has answered, or that break, are gone on with (SEP-1699).

use super::{COMMENT_TIME, Job, UNANSWERED, is_stream};
use crate::mcp::http::sse;
use crate::mcp::http::stream::Out;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use obelus_mcp::MESSAGE_BYTES_MAX;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often a stream is gone on with, and for how long.
const RESUMED_MAX: u32 = 1024;
const RESUMED_TIME: Duration = Duration::from_secs(3600);
/// How long the server is left alone before that where it says nothing of it, and at least.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// What is known of a stream, however often it is gone on with.
struct Course<'s> {
    /// The request that it answers; nothing if it answers none.
    sent: Option<&'s [u8]>,
    is_call: bool,
    reader: sse::Reader,
    reserved: usize,
    /// When something came last, and when the client was told anything.
    heard: Instant,
    told: Instant,
    resumed: u32,
    /// When it broke off first.
    broke: Option<Instant>,
}

/// Why a stream is read no further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stopped {
    /// The server has ended it, or the connection has broken.
    BrokenOff,
    /// It is answered, or nobody may or wants to hear more of it.
    Over,
}

impl Job {
    /// Passes on what the server says, as it comes, until the request is answered.
    pub(super) async fn pump(mut self, mut body: Incoming, sent: Option<&[u8]>, mut out: Out) {
        let mut course = Course {
            sent,
            is_call: sent.is_some() && self.is("tools/call"),
            reader: sse::Reader::new(MESSAGE_BYTES_MAX),
            reserved: 0,
            heard: Instant::now(),
            told: Instant::now(),
            resumed: 0,
            broke: None,
        };
        while self.read(&mut course, body, &mut out).await == Stopped::BrokenOff {
            match self.resume(&mut course, &mut out).await {
                Some(next) => body = next,
                None => break,
            }
        }
        if let Some(sent) = sent {
            self.fail(sent, true, UNANSWERED, &mut out).await;
        }
    }

    async fn read(&mut self, course: &mut Course<'_>, mut body: Incoming, out: &mut Out) -> Stopped {
        let mut events = Vec::new();
        course.reader.begin();
        loop {
            let frame = tokio::select! {
                biased;
                _ = &mut self.visit.ticket => return Stopped::Over,
                () = out.gone(), if !course.is_call && !out.is_over() => return Stopped::Over,
                frame = body.frame() => frame,
                () = sleep_until(course.told + COMMENT_TIME) => {
                    if !self.goes_on(course, out).await {
                        return Stopped::Over;
                    }
                    continue;
                }
            };
            let Some(Ok(frame)) = frame else { return Stopped::BrokenOff };
            course.heard = Instant::now();
            course.told = course.heard;
            let Ok(piece) = frame.into_data() else { continue };
            let is_read = course.reader.read(&piece, &mut events).is_ok();
            if !is_read || !self.reserve(&mut course.reserved, course.reader.held()) {
                return Stopped::Over;
            }
            for event in events.drain(..) {
                if (event.kind.is_empty() || event.kind == b"message") && !event.data.is_empty() {
                    self.told(event.data, out).await;
                }
            }
            if self.is_over(course, out) {
                return Stopped::Over;
            }
        }
    }

    /// Whether the request is answered or given up, or nobody wants to hear what is said beside.
    fn is_over(&self, course: &Course<'_>, out: &Out) -> bool {
        course.sent.is_some_and(|sent| !self.session.is_asked(sent)) || (out.is_over() && !course.is_call)
    }

    /// Whether a server that says nothing is waited for any longer. The client is told that somebody is there.
    async fn goes_on(&self, course: &mut Course<'_>, out: &mut Out) -> bool {
        let is_ending = course.sent.is_none() && self.visit.core.is_draining();
        if course.heard.elapsed() >= self.patience() || is_ending {
            return false;
        }
        out.comment(self.patience()).await;
        course.told = Instant::now();
        true
    }

    /// Asks the server to go on after the last event that it has named, when it wants to be asked. Revision 2026-07-28 has
    /// nothing of the kind.
    async fn resume(&mut self, course: &mut Course<'_>, out: &mut Out) -> Option<Incoming> {
        self.legacy.as_ref()?;
        let broke = *course.broke.get_or_insert_with(Instant::now);
        loop {
            let after = course.reader.last_id()?;
            course.resumed += 1;
            if course.resumed > RESUMED_MAX || broke.elapsed() >= RESUMED_TIME {
                return None;
            }
            let pause = course.reader.retry().unwrap_or(PAUSE).max(PAUSE_MIN);
            if pause >= self.patience() || self.is_over(course, out) {
                return None;
            }
            self.meanwhile(course, out, sleep(pause)).await?;
            if course.sent.is_none() && self.visit.core.is_draining() {
                return None;
            }
            let request = self.stream(Some(after)).ok()?;
            let response = self.meanwhile(course, out, request).await?;
            match response {
                Ok(response) if is_stream(&response) => return Some(response.into_body()),
                // It does not keep what it has said, or no longer.
                Ok(_) => return None,
                Err(_) => {}
            }
        }
    }

    /// Waits for something, for as long as the stream is waited for.
    async fn meanwhile<T>(
        &mut self,
        course: &mut Course<'_>,
        out: &mut Out,
        wanted: impl Future<Output = T>,
    ) -> Option<T> {
        let mut wanted = pin!(wanted);
        loop {
            tokio::select! {
                biased;
                _ = &mut self.visit.ticket => return None,
                () = out.gone(), if !course.is_call && !out.is_over() => return None,
                done = &mut wanted => return Some(done),
                () = sleep_until(course.told + COMMENT_TIME) => {
                    if !self.goes_on(course, out).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Takes as much memory as is needed at most.
    fn reserve(&mut self, reserved: &mut usize, needed: usize) -> bool {
        let more = needed.saturating_sub(*reserved);
        let is_there = more == 0 || self.lease.grow(more);
        *reserved = needed.max(*reserved);
        is_there
    }
}
