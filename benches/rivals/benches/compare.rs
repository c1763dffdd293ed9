//! The table of `cargo bench -p obelus-benches -- compare`.

use obelus_benches::{Case, Runner, cases, compare};
use std::error::Error;
use std::io;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test` and `cargo bench --no-run` must not measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let cases: Vec<Case> = cases()?.into_iter().filter(|case| case.group == "compare").collect();
    compare(&mut Runner::new()?.with(obelus_rivals::rivals()?), &cases, &mut io::stdout().lock())
}
