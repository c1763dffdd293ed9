//! A channel of a session, as `obelus serve` has it: messages come one at a time, and each is answered with what becomes
//! of it.

use super::frame::{Frame, HEAD_BYTES, Kind, Of, opened};
use super::listener::{may_use, refuse, write};
use super::seats::Seat;
use crate::core::Core;
use crate::guard::work;
use crate::mcp::counted::{count, turn_away};
use crate::mcp::http::changed;
use crate::memory::Lease;
use crate::refused::{Refused, Why};
use obelus_mcp::{Held, Lost, MESSAGE_BYTES_MAX, Step};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long a message waits until there is memory for it, and how often it is looked.
const MEMORY_TIME: Duration = Duration::from_secs(5);
const MEMORY_PAUSE: Duration = Duration::from_millis(10);

/// How long lines of standard error are read once `obelus mcp` has ended the session.
const ERRORS_TIME: Duration = Duration::from_secs(5);

/// Serves a channel until its session is over, or the other side ends it.
pub(super) async fn serve(mut stream: UnixStream, core: &Arc<Core>, seat: Option<Arc<Seat>>, of: Of) {
    let taken = match (seat, of) {
        (Some(seat), Of::Held(number)) => seat.take_held(number).map(|held| (seat, Some(held))),
        (Some(seat), of) => seat.take(of).then_some((seat, None)),
        (None, _) => None,
    };
    let Some((seat, held)) = taken else {
        let message = "there is no such session, or this channel of it was opened before";
        return refuse(&mut stream, core, &Refused::new(404, Why::Route, message)).await;
    };
    let channel = Channel { core: Arc::clone(core), seat: Arc::clone(&seat), of };
    let served = async {
        match held {
            Some(held) => channel.wait(&mut stream, held).await,
            None => channel.messages(&mut stream).await,
        }
    };
    let over = async {
        // Whoever has left by itself may still have lines of a server that is ending.
        if (seat.is_over().await, of) == (Lost::Gone, Of::Errors) {
            sleep(ERRORS_TIME).await;
        }
    };
    tokio::select! {
        biased;
        () = over => {}
        served = served => {
            if let Err(why) = served {
                seat.end(why);
            }
        }
    }
}

struct Channel {
    core: Arc<Core>,
    seat: Arc<Seat>,
    of: Of,
}

impl Channel {
    /// How long the other side may take for what is no pause between messages.
    fn patience(&self) -> Duration {
        self.core.policy.load().config.timeouts.stream_idle
    }

    /// Says something, to somebody who takes it.
    async fn say(&self, stream: &mut UnixStream, frame: &Frame) -> Result<(), Lost> {
        match timeout(self.patience(), write(stream, frame)).await {
            Ok(true) => Ok(()),
            // What cannot be said has no end that the other side would understand.
            _ => Err(Lost::Fault),
        }
    }

    async fn messages(&self, stream: &mut UnixStream) -> Result<(), Lost> {
        self.say(stream, &Frame::new(Kind::Begun, Vec::new())).await?;
        while let Some((message, lease)) = self.receive(stream).await? {
            let session = Arc::clone(&self.seat.session);
            match self.of {
                Of::Client => {
                    // No other message of the client is judged once the process drains.
                    let _turn = self.seat.turns.read().await;
                    if !may_use(&self.core.policy.load(), &self.seat.server, &self.seat.workflow) {
                        return Err(Lost::Withdrawn);
                    }
                    let counted = count(&self.core, self.seat.key, &self.seat.workflow);
                    let step = self
                        .step(move || match counted {
                            Ok(()) => session.from_client(&message),
                            Err(refused) => turn_away(&session, &message, &refused),
                        })
                        .await?;
                    self.say_step(stream, step).await?;
                }
                Of::Server => {
                    let step = self.step(move || session.from_server(&message)).await?;
                    self.say_step(stream, step).await?;
                    self.seat.settled.notify_one();
                }
                Of::Errors => {
                    let text = work(usize::MAX, move || session.redact_text(&message)).await;
                    let frame = match text.map_err(|_panicked| self.fault())? {
                        Some(text) => Frame::new(Kind::Text, text),
                        None => Frame::new(Kind::NoText, Vec::new()),
                    };
                    self.say(stream, &frame).await?;
                }
                Of::Held(_) => return Err(Lost::Fault),
            }
            drop(lease);
        }
        Ok(())
    }

    /// Waits until a call that waits for people is decided, or its time is over, and says what becomes of it.
    async fn wait(&self, stream: &mut UnixStream, mut held: Held) -> Result<(), Lost> {
        let Some(stores) = self.core.gate.clone() else { return Err(Lost::Fault) };
        let mut changes = stores.changes();
        let mut nothing = [0; 1];
        loop {
            let seen = held.seen;
            tokio::select! {
                biased;
                // Whoever gives the channel up wants no answer; the session goes on without.
                _ = stream.read(&mut nothing) => {
                    self.seat.session.let_go(&held);
                    return Ok(());
                }
                () = changed(&mut changes, seen) => {}
                () = sleep_until(held.until.into()) => {}
            }
            let _turn = self.seat.turns.read().await;
            let session = Arc::clone(&self.seat.session);
            match self.step(move || session.resume(&held)).await? {
                Step::Hold(again) => held = again,
                step => return self.say_step(stream, step).await,
            }
        }
    }

    /// Has the session take a step, where it may wait.
    async fn step(&self, take: impl FnOnce() -> Step + Send + 'static) -> Result<Step, Lost> {
        work(usize::MAX, take).await.map_err(|_panicked| self.fault())
    }

    fn fault(&self) -> Lost {
        self.core.metrics.panic();
        Lost::Fault
    }

    /// Says what becomes of a message.
    async fn say_step(&self, stream: &mut UnixStream, mut step: Step) -> Result<(), Lost> {
        while let Step::Tell(message, next) = step {
            self.say(stream, &Frame::new(Kind::Tell, message)).await?;
            step = *next;
        }
        let frame = match step {
            Step::Forward(message) => Frame::new(Kind::Forward, message),
            Step::Answer(message) => Frame::new(Kind::Answer, message),
            Step::Hold(held) => Frame::new(Kind::Wait, self.seat.hold(held).to_be_bytes()),
            Step::Drop | Step::Heard | Step::Tell(..) => Frame::new(Kind::Drop, Vec::new()),
        };
        self.say(stream, &frame).await
    }

    /// The next message, with the memory that it takes; nothing if the other side has ended the channel.
    async fn receive(&self, stream: &mut UnixStream) -> Result<Option<(Vec<u8>, Lease)>, Lost> {
        let mut head = [0; HEAD_BYTES];
        let (first, rest) = head.split_at_mut(1);
        match stream.read(first).await {
            Ok(1) => {}
            _ => return Ok(None),
        }
        let patience = self.patience();
        if !matches!(timeout(patience, stream.read_exact(rest)).await, Ok(Ok(_))) {
            return Err(Lost::Fault);
        }
        let Some((Kind::Message, bytes)) = opened(head, MESSAGE_BYTES_MAX) else {
            return Err(Lost::Fault);
        };
        let lease = self.room(bytes).await?;
        let mut message = Vec::with_capacity(bytes);
        let mut within = (&mut *stream).take(bytes as u64);
        let read = timeout(patience, within.read_to_end(&mut message)).await;
        match read {
            Ok(Ok(_)) if message.len() == bytes => Ok(Some((message, lease))),
            _ => Err(Lost::Fault),
        }
    }

    /// Memory for a message: what other messages and bodies have comes back.
    async fn room(&self, bytes: usize) -> Result<Lease, Lost> {
        let mut lease = self.core.memory.lease();
        let until = Instant::now() + MEMORY_TIME;
        while !lease.grow(bytes) {
            if Instant::now() >= until {
                return Err(Lost::Busy);
            }
            sleep(MEMORY_PAUSE).await;
        }
        Ok(lease)
    }
}
