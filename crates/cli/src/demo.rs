//! `obelus demo`: the sidecar at work, between a client and a provider that is none, all of it on loopback.
//!
//! What is shown is what happened: the first column is what the client sends, the second what the provider has
//! recorded, the third what comes back over the wire. Every promise that is named is checked.

mod client;
mod screen;
mod stage;
mod story;
mod talk;

use crate::args::DemoArgs;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use screen::Screen;
use std::time::{Duration, Instant};

/// The demonstration ends by itself after this long, whatever happens.
const TIME_MAX: Duration = Duration::from_secs(50);

/// Runs the demonstration.
pub(crate) fn run(args: &DemoArgs) -> Result<Outcome, Failure> {
    let mut screen = Screen::new(args.json, Output::stdout()?);
    match story::tell(&mut screen, Instant::now() + TIME_MAX) {
        Ok(()) => match screen.broken() {
            0 => Ok(Outcome::Done),
            broken => Err(Failure::data(format!(
                "demo: {broken} of {} promises did not hold: please report it as SECURITY.md says",
                screen.promises()
            ))),
        },
        // Whoever leaves early has seen enough.
        Err(Stop::Left) => Ok(Outcome::Done),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

/// Why the demonstration ended early.
enum Stop {
    /// The reader of standard output is gone.
    Left,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// Something that is said to hold, and whether it did.
struct Promise {
    says: String,
    held: bool,
}

impl Promise {
    fn new(says: impl Into<String>, held: bool) -> Promise {
        Promise { says: says.into(), held }
    }
}
