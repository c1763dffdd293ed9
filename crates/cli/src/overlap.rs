//! Reading and writing on threads of their own, so that they overlap with the work between.
//!
//! A few buffers go round between two threads. That bounds the memory and lets the faster side wait.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

/// How many buffers go round.
const BUFFERS: usize = 4;

/// What whoever waits for input is told.
#[derive(Debug)]
enum Event {
    /// So many bytes at the beginning of a buffer.
    Read(Vec<u8>, usize),
    End,
    Fault(io::Error),
    /// What is written behind could not be written.
    Refused,
}

/// What comes next in an input that is read ahead.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    Chunk(&'a [u8]),
    End,
    /// Somebody asked to look elsewhere: see [`Bell`].
    Rung,
}

/// Input that a thread reads ahead.
#[derive(Debug)]
pub(crate) struct Ahead {
    events: Receiver<Event>,
    ring: mpsc::Sender<Event>,
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
}

/// Wakes whoever waits for input.
#[derive(Debug)]
pub(crate) struct Bell(mpsc::Sender<Event>);

impl Ahead {
    /// Begins to read, `chunk_bytes` at once. The thread ends with the input, or when nobody wants more of it.
    pub(crate) fn new(mut reader: impl Read + Send + 'static, chunk_bytes: usize) -> io::Result<Ahead> {
        let (ring, events) = mpsc::channel();
        // As many buffers as go round fit, so that to give one back never waits.
        let (empty, empties) = mpsc::sync_channel(BUFFERS);
        for _ in 1..BUFFERS {
            give(&empty, Vec::new());
        }
        let told = ring.clone();
        let read = move || {
            while let Ok(mut buf) = empties.recv() {
                let event = match fill(&mut reader, &mut buf, chunk_bytes) {
                    Ok(0) => Event::End,
                    Ok(len) => Event::Read(buf, len),
                    Err(error) => Event::Fault(error),
                };
                let is_over = !matches!(event, Event::Read(..));
                if told.send(event).is_err() || is_over {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("read".to_owned()).spawn(read)?;
        Ok(Ahead { events, ring, empty, current: Vec::new() })
    }

    /// Waits for the next chunk.
    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        match self.events.recv() {
            Ok(Event::Read(buf, len)) => {
                let done = std::mem::replace(&mut self.current, buf);
                give(&self.empty, done);
                Ok(Next::Chunk(&self.current[..len]))
            }
            Ok(Event::End) => Ok(Next::End),
            Ok(Event::Fault(error)) => Err(error),
            Ok(Event::Refused) => Ok(Next::Rung),
            // The reader cannot end without a word, and `ring` keeps the channel open.
            Err(mpsc::RecvError) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// What wakes whoever waits in [`Ahead::next`].
    pub(crate) fn bell(&self) -> Bell {
        Bell(self.ring.clone())
    }
}

/// Hands a buffer over; if the other side is gone, nobody needs it.
fn give(to: &SyncSender<Vec<u8>>, buf: Vec<u8>) {
    to.send(buf).unwrap_or_default();
}

/// Reads once.
fn fill(reader: &mut impl Read, buf: &mut Vec<u8>, chunk_bytes: usize) -> io::Result<usize> {
    buf.resize(chunk_bytes, 0);
    loop {
        match reader.read(buf) {
            Ok(len) => return Ok(len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What takes bytes and may be given to another thread.
pub(crate) type Sender = Box<dyn Write + Send>;

/// Output that a thread writes behind.
pub(crate) struct Behind {
    buf: Vec<u8>,
    buf_bytes: usize,
    writer: Writer,
}

enum Writer {
    There(Thread),
    /// The thread has ended. After a fault it leads nowhere.
    Here(Sender),
}

struct Thread {
    full: SyncSender<Vec<u8>>,
    empties: Receiver<Vec<u8>>,
    handle: JoinHandle<(Sender, io::Result<()>)>,
}

impl Behind {
    /// Begins to write, `buf_bytes` at once. On a fault the bell rings.
    pub(crate) fn new(mut writer: Sender, buf_bytes: usize, bell: Bell) -> io::Result<Behind> {
        let (full, fulls) = mpsc::sync_channel::<Vec<u8>>(BUFFERS);
        let (empty, empties) = mpsc::sync_channel(BUFFERS);
        for _ in 1..BUFFERS {
            give(&empty, Vec::new());
        }
        let write = move || {
            let result = fulls.iter().try_for_each(|mut buf| {
                writer.write_all(&buf)?;
                buf.clear();
                give(&empty, buf);
                Ok(())
            });
            if result.is_err() {
                // Before the bell rings: whoever hands on must not wait for a thread that writes no more.
                drop((fulls, empty));
                bell.0.send(Event::Refused).unwrap_or_default();
            }
            (writer, result)
        };
        let handle = std::thread::Builder::new().name("write".to_owned()).spawn(write)?;
        Ok(Behind { buf: Vec::new(), buf_bytes, writer: Writer::There(Thread { full, empties, handle }) })
    }

    /// Gives what there is to the thread.
    pub(crate) fn hand_on(&mut self) -> io::Result<()> {
        if self.buf.is_empty() {
            return Ok(());
        }
        let thread = match &mut self.writer {
            Writer::There(thread) => thread,
            Writer::Here(writer) => {
                let result = writer.write_all(&self.buf);
                self.buf.clear();
                return result;
            }
        };
        let given = thread.empties.recv().is_ok_and(|empty| {
            let full = std::mem::replace(&mut self.buf, empty);
            thread.full.send(full).is_ok()
        });
        if given { Ok(()) } else { self.settle() }
    }

    /// Waits until what was handed on is written, or was not. What comes then is written at once.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        let nowhere: Sender = Box::new(io::sink());
        let thread = match std::mem::replace(&mut self.writer, Writer::Here(nowhere)) {
            Writer::There(thread) => thread,
            here => {
                self.writer = here;
                return Ok(());
            }
        };
        drop(thread.full);
        match thread.handle.join() {
            Ok((writer, Ok(()))) => {
                self.writer = Writer::Here(writer);
                Ok(())
            }
            Ok((_, Err(error))) => {
                // Nothing is written behind a gap.
                self.buf.clear();
                Err(error)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Write for Behind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buf.extend_from_slice(bytes);
        if self.buf.len() < self.buf_bytes { Ok(()) } else { self.hand_on() }
    }

    /// Waits until everything is written.
    fn flush(&mut self) -> io::Result<()> {
        self.hand_on()?;
        self.settle()?;
        match &mut self.writer {
            Writer::Here(writer) => writer.flush(),
            Writer::There(_) => Ok(()),
        }
    }
}
