//! Measures Obelus beside its rivals and prints one table.
//!
//! Rivals that bring much along are a workspace of their own in `rivals`, which has the same bench; it is built and
//! started here. Where it cannot be built, as without a registry, the table is of what is at hand.

use obelus_benches::{Case, Runner, cases, compare};
use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if !is_wanted(&arguments) {
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let rivals = Command::new(cargo)
        .args(["bench", "--bench", "compare", "--manifest-path"])
        .arg(folder.join("rivals").join("Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.join("..").join("target").join("rivals"))
        .status()?;
    if rivals.success() {
        return Ok(());
    }
    writeln!(io::stderr(), "compare: the rivals do not run here, see above: without them")?;
    let mut runner = Runner::new()?;
    let is_here = |case: &Case| case.group == "compare" && runner.has(case.engine);
    let cases: Vec<Case> = cases()?.into_iter().filter(is_here).collect();
    compare(&mut runner, &cases, &mut io::stdout().lock())
}

/// Bench targets are also started to list or test, and with filters that are meant for others.
fn is_wanted(arguments: &[String]) -> bool {
    if !arguments.iter().any(|argument| argument == "--bench")
        || arguments.iter().any(|argument| argument == "--list" || argument == "--test")
    {
        return false;
    }
    let is_flag = |at: usize| arguments[at].starts_with("--") && arguments[at] != "--bench";
    let mut filters = (0..arguments.len())
        .filter(|&at| !arguments[at].starts_with('-') && !at.checked_sub(1).is_some_and(is_flag));
    filters.next().is_none_or(|at| "compare".contains(arguments[at].as_str()))
}
