//! One file on several threads, with the output of one.
//!
//! Each group is read as if it began the input, ahead of knowing that it does begin between documents. In order, each
//! that ends between documents, without an error, shows that the next begins there, because a stream knows nothing of
//! documents that have ended; then its output leaves. The first that does not end so is dropped and read again, with
//! all that follows, by one stream that goes on from where it began. So every byte, finding and error is that of one
//! thread, whatever the input is; a bad guess costs time alone.

use crate::failure::Failure;
use crate::findings::Lines;
use crate::flow::{Doors, Stop};
use crate::groups::{Group, Groups, Piece};
use crate::report::{Progress, Tally};
use obelus::{Finding, PushError, Redactor, Sink};
use rayon::{ScopeFifo, ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver};

/// How many groups a thread has at once: one that it reads, and one that is next or waits for those before it.
const GROUPS_PER_THREAD: usize = 2;

/// Threads, and the memory that goes round among them.
pub(crate) struct Parallel {
    pool: ThreadPool,
    groups_max: usize,
    /// Room for input and output.
    spare: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What is left to one thread, from a place between two documents on.
#[derive(Default)]
pub(crate) struct Rest {
    /// Where it begins, and how many documents came before.
    pub(crate) offset: u64,
    pub(crate) documents: u64,
    /// What was read of it; more comes from the input.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// What the input failed with behind that.
    pub(crate) fault: Option<io::Error>,
}

/// A group that was read.
struct Done {
    group: Group,
    taken: Taken,
    /// How many documents it has, if it ends between two.
    documents: Option<u64>,
}

/// What comes of a group, until it is its turn.
pub(crate) struct Taken {
    /// `None` when only findings are wanted.
    pub(crate) output: Option<Vec<u8>>,
    /// `None` when nobody wants them.
    pub(crate) lines: Option<Lines>,
    pub(crate) tally: Tally,
}

impl Parallel {
    pub(crate) fn new(threads: usize) -> Result<Parallel, Failure> {
        let builder = ThreadPoolBuilder::new().num_threads(threads).thread_name(|at| format!("group-{at}"));
        let pool = builder.build().map_err(|error| {
            Failure::data(format!("cannot start {threads} threads: {error}: say --threads 1"))
        })?;
        Ok(Parallel { pool, groups_max: threads * GROUPS_PER_THREAD, spare: Vec::new() })
    }

    /// Reads groups until they end or cannot be read apart; returns what is left to one thread then.
    pub(crate) fn run(
        &mut self,
        redactor: &Redactor,
        groups: &mut Groups<impl Read>,
        progress: &Progress,
        doors: &mut Doors,
    ) -> Result<Option<Rest>, Stop> {
        let Parallel { pool, groups_max, spare } = self;
        pool.in_place_scope_fifo(|scope| {
            let mut waiting = VecDeque::new();
            // What stands behind the groups, once all are cut.
            let mut last = None;
            let mut documents = 0;
            loop {
                while last.is_none() && waiting.len() < *groups_max {
                    let (bytes, output) = spare.pop().unwrap_or_default();
                    match groups.next(bytes) {
                        Piece::Group(group) => {
                            waiting.push_back(begin(scope, redactor, group, doors.taken(output)));
                        }
                        piece => last = Some(piece),
                    }
                }
                let Some(next) = waiting.pop_front() else { break };
                let Done { group, taken, documents: ended } = wait(&next)?;
                let Some(ended) = ended else {
                    let mut pieces = vec![group.bytes];
                    for next in &waiting {
                        pieces.push(wait(next)?.group.bytes);
                    }
                    pieces.push(groups.take_begun());
                    let rest = Rest { offset: group.offset, documents, pieces, fault: None };
                    return Ok(Some(rest.with(last)));
                };
                progress.advance(group.bytes.len() as u64);
                doors.take(&taken, documents)?;
                documents += ended;
                spare.push((group.bytes, taken.output.unwrap_or_default()));
            }
            match last {
                Some(Piece::Rest(group, fault)) => {
                    Ok(Some(Rest { offset: group.offset, documents, pieces: vec![group.bytes], fault }))
                }
                _ => Ok(None),
            }
        })
    }
}

impl Rest {
    /// The same with what stands behind.
    fn with(mut self, last: Option<Piece>) -> Rest {
        if let Some(Piece::Rest(group, fault)) = last {
            self.pieces.push(group.bytes);
            self.fault = fault;
        }
        self
    }
}

/// Lets a thread read a group.
fn begin<'s>(scope: &ScopeFifo<'s>, redactor: &'s Redactor, group: Group, taken: Taken) -> Receiver<Done> {
    let (done, receiver) = mpsc::sync_channel(1);
    // Whoever waits may have left.
    scope.spawn_fifo(move |_| done.send(read(redactor, group, taken)).unwrap_or_default());
    receiver
}

fn wait(next: &Receiver<Done>) -> Result<Done, Failure> {
    // A thread that panics ends the program as soon as the others have ended.
    next.recv().map_err(|mpsc::RecvError| Failure::data("a thread ended early: run it again"))
}

/// Reads a group as if it began between two documents.
fn read(redactor: &Redactor, group: Group, mut taken: Taken) -> Done {
    taken.tally.bytes = group.bytes.len() as u64;
    let mut stream = redactor.stream_at(group.offset, 0);
    let result: Result<u64, PushError<io::Error>> = stream.push(&group.bytes, &mut taken).and_then(|()| {
        // A group that another follows ends with a line break, so that all its documents have ended.
        let documents = stream.documents();
        stream.finish(&mut taken).map(|()| documents)
    });
    Done { group, taken, documents: result.ok() }
}

impl Sink for Taken {
    type Error = io::Error;

    fn keep(&mut self, input: &[u8]) -> io::Result<()> {
        if let Some(output) = &mut self.output {
            output.extend_from_slice(input);
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.keep(bytes)
    }

    fn found(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.tally.note(finding);
        self.lines.as_mut().map_or(Ok(()), |lines| lines.add(finding))
    }
}
