//! A server that is a process: messages are lines of its standard input and output.

use crate::between::{Between, Lost, Passed};
use crate::fault::Fault;
use crate::message::MESSAGE_BYTES_MAX;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio as Pipe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server has to end by itself once its input is closed, and once more when it was told to end.
const END_WAIT: Duration = Duration::from_secs(5);

/// Messages that wait until the server reads them: half a GiB where each is as long as may be.
const QUEUE: usize = 32;

/// How long threads are waited for that may hang on a pipe.
const THREAD_WAIT: Duration = Duration::from_secs(1);

/// Bytes of one line of a server's standard error.
const ERROR_LINE_BYTES_MAX: usize = 64 << 10;

/// What stands in the first line of a private key, and in its last (RFC 7468).
const KEY_BEGINS: &[u8] = b"-----BEGIN ";
const KEY: &[u8] = b"PRIVATE KEY";
const KEY_ENDS: &[u8] = b"-----END ";

/// How it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The client closed its side, or hears no more, and the server ended.
    ClientLeft,
    /// Somebody stopped it, and the server ended.
    Stopped,
    /// The server ended by itself.
    ServerEnded(ExitStatus),
    /// The server asks and does not read what it is answered. It was ended.
    ServerStuck,
    /// Another process kept the session, and it is over. The server was ended.
    Lost(Lost),
}

/// What tells the threads' owner what happened.
enum Event {
    ClientLeft,
    /// The client hears no more.
    ClientGone,
    Stop,
    ServerLeft,
    ServerStuck,
    Lost(Lost),
}

/// Ends a run from elsewhere.
#[derive(Clone)]
pub struct Stopper {
    events: Sender<Event>,
    /// Whether the session is lost: then nothing passes any more.
    is_lost: Arc<AtomicBool>,
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

impl Stopper {
    /// Ends the run. One that has ended stays so.
    pub fn stop(&self) {
        self.events.send(Event::Stop).unwrap_or_default();
    }

    /// Ends the run because its session is over. From now on nothing passes, in either direction.
    pub fn lose(&self, why: Lost) {
        // Told first: what ends because nothing passes must not be taken for the reason.
        self.events.send(Event::Lost(why)).unwrap_or_default();
        self.is_lost.store(true, Ordering::SeqCst);
    }

    fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::SeqCst)
    }
}

/// The client's side.
pub struct Client {
    /// What it says.
    pub input: Box<dyn Read + Send>,
    /// What it hears.
    pub output: Box<dyn Write + Send>,
    /// Where the server's standard error goes, redacted.
    pub errors: Box<dyn Write + Send>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Runs a server as a process, and stands between it and one client.
pub struct Stdio {
    between: Arc<dyn Between>,
    command: Command,
    stopper: Stopper,
    events: Receiver<Event>,
}

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdio").finish_non_exhaustive()
    }
}

/// Where messages go on both sides, and what they go through.
#[derive(Clone)]
struct Sides {
    between: Arc<dyn Between>,
    to_server: SyncSender<Queued>,
    to_client: Arc<Output>,
    stopper: Stopper,
}

impl Stdio {
    /// Will run the command, in a process group of its own.
    pub fn new(between: impl Between + 'static, command: Command) -> Stdio {
        let (sender, events) = mpsc::channel();
        let stopper = Stopper { events: sender, is_lost: Arc::default() };
        Stdio { between: Arc::new(between), command, stopper, events }
    }

    /// What ends the run from elsewhere.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Runs until the client leaves, the server ends, or it is stopped. Whatever happens, the server's process group is
    /// ended when this returns: first its input is closed, then it is told, then it is killed.
    ///
    /// The thread that reads the client may outlive this; it passes nothing on any more.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn run(mut self, client: Client) -> io::Result<Ended> {
        self.command.stdin(Pipe::piped()).stdout(Pipe::piped()).stderr(Pipe::piped()).process_group(0);
        let mut child = self.command.spawn()?;
        let gone = || io::Error::other("the process has no pipes");
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            end(&mut child, Duration::ZERO)?;
            return Err(gone());
        };
        let (to_server, queued) = mpsc::sync_channel(QUEUE);
        let Stdio { between, stopper, events: received, .. } = self;
        let to_client = Arc::new(Mutex::new(client.output));
        let sides = Sides { between: Arc::clone(&between), to_server, to_client, stopper };
        let to_client = Arc::clone(&sides.to_client);
        {
            let stopper = sides.stopper.clone();
            thread::spawn(move || write_all(input, &queued, &stopper));
        }
        {
            let sides = sides.clone();
            thread::spawn(move || {
                let event = read_server(&sides, output);
                sides.stopper.events.send(event).unwrap_or_default();
            });
        }
        let told = {
            let (between, stopper) = (Arc::clone(&between), sides.stopper.clone());
            thread::spawn(move || read_errors(&*between, errors, client.errors, &stopper))
        };
        thread::spawn(move || {
            read_client(&sides, client.input);
            // Said first: a server that ends because its input is closed has not ended by itself.
            sides.stopper.events.send(Event::ClientLeft).unwrap_or_default();
            sides.to_server.send(None).unwrap_or_default();
        });
        let ended = match received.recv() {
            Ok(Event::ClientLeft) => wait_for_answers(&mut child, &received)?,
            Ok(Event::ServerLeft) => {
                let status = end(&mut child, END_WAIT)?;
                Ended::ServerEnded(status)
            }
            Ok(Event::ClientGone) => {
                end(&mut child, Duration::ZERO)?;
                Ended::ClientLeft
            }
            Ok(Event::ServerStuck) => {
                end(&mut child, Duration::ZERO)?;
                Ended::ServerStuck
            }
            Ok(Event::Lost(why)) => {
                end(&mut child, Duration::ZERO)?;
                Ended::Lost(why)
            }
            Ok(Event::Stop) | Err(_) => {
                end(&mut child, Duration::ZERO)?;
                Ended::Stopped
            }
        };
        between.close();
        // It ends with the process group; whoever left the group and kept the pipe is not waited for.
        wait_until(|| told.is_finished());
        // The client is told, though a thread may still be reading what it says. One that does not read what it is told
        // holds nobody up.
        wait_until(|| match to_client.try_lock() {
            Ok(mut output) => {
                *output = Box::new(io::sink());
                true
            }
            Err(TryLockError::Poisoned(output)) => {
                *output.into_inner() = Box::new(io::sink());
                true
            }
            Err(TryLockError::WouldBlock) => false,
        });
        Ok(ended)
    }
}

/// Waits until something holds, for [`THREAD_WAIT`] at most.
fn wait_until(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + THREAD_WAIT;
    while !holds() && Instant::now() < until {
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// The client has left: the server may still answer what it was asked, for a while.
fn wait_for_answers(child: &mut Child, events: &Receiver<Event>) -> io::Result<Ended> {
    let until = Instant::now() + END_WAIT;
    loop {
        match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Event::ClientLeft) => {}
            Ok(Event::ServerLeft) => {
                end(child, END_WAIT)?;
                return Ok(Ended::ClientLeft);
            }
            Ok(Event::Lost(why)) => {
                end(child, Duration::ZERO)?;
                return Ok(Ended::Lost(why));
            }
            Ok(Event::Stop | Event::ServerStuck | Event::ClientGone) | Err(_) => {
                end(child, Duration::ZERO)?;
                return Ok(Ended::ClientLeft);
            }
        }
    }
}

/// Waits so long, then tells the process group to end, then kills it.
fn end(child: &mut Child, wait: Duration) -> io::Result<ExitStatus> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let tell = |signal| {
        if let Some(group) = group {
            // There may be nobody left to be told.
            kill_process_group(group, signal).unwrap_or_default();
        }
    };
    let mut status = wait_for(child, wait)?;
    if status.is_none() {
        tell(Signal::TERM);
        status = wait_for(child, END_WAIT)?;
    }
    // Processes that it started are ended with it.
    tell(Signal::KILL);
    match status {
        Some(status) => Ok(status),
        None => child.wait(),
    }
}

fn wait_for(child: &mut Child, wait: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + wait;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A line for the server, or that its input is closed.
type Queued = Option<Vec<u8>>;

/// Passes queued messages to the server, then closes its input.
fn write_all(mut input: ChildStdin, queued: &Receiver<Queued>, stopper: &Stopper) {
    while let Ok(Some(line)) = queued.recv() {
        if stopper.is_lost() || input.write_all(&line).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

type Output = Mutex<Box<dyn Write + Send>>;

/// A message as a line. No JSON text that was read as a line has a line break in it, and none that is made here.
fn line(mut message: Vec<u8>) -> Vec<u8> {
    message.push(b'\n');
    message
}

impl Sides {
    /// Says something to the client, unless the session is lost.
    fn tell(&self, message: Vec<u8>) -> io::Result<()> {
        let mut output = self.to_client.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stopper.is_lost() {
            return Err(io::Error::other("the session is over"));
        }
        output.write_all(&line(message))?;
        output.flush()
    }
}

fn read_client(sides: &Sides, input: Box<dyn Read + Send>) {
    let mut lines = Lines::new(BufReader::new(input), MESSAGE_BYTES_MAX);
    while let Ok(Some(read)) = lines.next() {
        let passed = match read {
            Some(message) => sides.between.client_says(message),
            None => Ok(Passed::Answer(
                Fault::invalid("the message is longer than 16 MiB: send less at a time").answer(None),
            )),
        };
        let is_passed = match passed {
            Ok(passed) => pass(sides, passed),
            Err(lost) => {
                sides.stopper.lose(lost);
                false
            }
        };
        if !is_passed {
            return;
        }
    }
}

/// Does with a message of the client what is to become of it. Says whether anybody is there for it.
fn pass(sides: &Sides, passed: Passed) -> bool {
    match passed {
        Passed::Forward(message) => sides.to_server.send(Some(line(message))).is_ok(),
        Passed::Answer(message) => sides.tell(message).is_ok(),
        Passed::Drop => true,
        Passed::Tell(message, next) => sides.tell(message).is_ok() && pass(sides, *next),
        later @ Passed::Later(_) => {
            let sides = sides.clone();
            thread::spawn(move || hold(&sides, later));
            true
        }
    }
}

/// Waits until a call that waits for people is decided. There are as many of these threads as a session holds calls.
fn hold(sides: &Sides, mut passed: Passed) {
    loop {
        passed = match passed {
            Passed::Later(wait) => match wait() {
                Ok(decided) => decided,
                Err(lost) => return sides.stopper.lose(lost),
            },
            Passed::Tell(message, next) => match sides.tell(message) {
                Ok(()) => *next,
                Err(_) => return,
            },
            // One whom nobody can tell has left, which others notice.
            last => {
                pass(sides, last);
                return;
            }
        }
    }
}

/// Passes on what the server says, and gives why there is no more of it.
fn read_server(sides: &Sides, pipe: impl Read) -> Event {
    let mut lines = Lines::new(BufReader::new(pipe), MESSAGE_BYTES_MAX);
    while let Ok(Some(read)) = lines.next() {
        // One that is too long to be a message is refused as one that is none.
        match sides.between.server_says(read.unwrap_or_default()) {
            Ok(Passed::Forward(message)) => {
                if sides.tell(message).is_err() {
                    return Event::ClientGone;
                }
            }
            Ok(Passed::Answer(message)) => {
                // To wait here could be to wait for a server that waits for us.
                if sides.to_server.try_send(Some(line(message))).is_err() {
                    return Event::ServerStuck;
                }
            }
            Ok(Passed::Drop | Passed::Tell(..) | Passed::Later(_)) => {}
            Err(lost) => {
                sides.stopper.lose(lost);
                return Event::Lost(lost);
            }
        }
    }
    Event::ServerLeft
}

fn read_errors(between: &dyn Between, pipe: impl Read, mut errors: Box<dyn Write + Send>, stopper: &Stopper) {
    let mut lines = Lines::new(BufReader::new(pipe), ERROR_LINE_BYTES_MAX);
    let mut is_in_key = false;
    while let Ok(Some(read)) = lines.next() {
        // Lines are read each on its own, but those of a key are nothing without the first.
        let holds = |sign: &[u8]| read.is_some_and(|text| text.windows(sign.len()).any(|part| part == sign));
        let (begins, ends) = (holds(KEY_BEGINS) && holds(KEY), holds(KEY_ENDS));
        let was_in_key = is_in_key;
        is_in_key = (was_in_key || begins) && !ends;
        if was_in_key {
            continue;
        }
        let text = match read.map(|text| between.redact_text(text)).transpose() {
            Ok(text) => text.flatten().unwrap_or_else(|| b"[a line that cannot be read]".to_vec()),
            Err(lost) => return stopper.lose(lost),
        };
        // A standard error that cannot be written to is no reason to stop reading the server's.
        errors.write_all(&line(text)).and_then(|()| errors.flush()).unwrap_or_default();
    }
}

/// Lines up to a length, without their ends.
struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    bytes_max: usize,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R, bytes_max: usize) -> Lines<R> {
        Lines { reader, line: Vec::new(), bytes_max }
    }

    /// The next line that is not empty: nothing inside if it is too long, nothing at all at the end.
    #[expect(clippy::option_option, reason = "the outer one ends the loop of whoever reads")]
    fn next(&mut self) -> io::Result<Option<Option<&[u8]>>> {
        loop {
            self.line.clear();
            let (mut is_long, mut is_any) = (false, false);
            loop {
                let read = match self.reader.fill_buf() {
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                if read.is_empty() {
                    break;
                }
                is_any = true;
                let end = read.iter().position(|byte| *byte == b'\n');
                let text = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
                is_long |= self.line.len() + text.len() > self.bytes_max;
                if !is_long {
                    self.line.extend_from_slice(text);
                }
                let used = end.map_or(read.len(), |at| at + 1);
                self.reader.consume(used);
                if end.is_some() {
                    break;
                }
            }
            if !is_any {
                return Ok(None);
            }
            if is_long {
                return Ok(Some(None));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(Some(&self.line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], room: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(BufReader::with_capacity(room, text), 8);
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("bytes in memory") {
            all.push(line.map(<[u8]>::to_vec));
        }
        all
    }

    #[test]
    fn lines_are_bounded_however_they_come() {
        let text = b"\n{}\r\n  \n12345678\n123456789\nlast";
        let wanted = [Some(b"{}\r".to_vec()), Some(b"12345678".to_vec()), None, Some(b"last".to_vec())];
        for room in 1..text.len() + 1 {
            assert_eq!(lines(text, room), wanted, "{room}");
        }
    }
}
