//! Writes generated traffic, to measure pairing with: `traffic TURNS RECORDS EVENTS`. A turn is a call or two on the
//! average, with two records and three events each.
#![forbid(unsafe_code)]
#![expect(clippy::panic, clippy::print_stdout, reason = "a measurement, started by hand")]

#[path = "../tests/reconcile/traffic.rs"]
mod traffic;

use std::fs::File;
use std::io::BufWriter;
use traffic::Traffic;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [turns, records, events] = args.as_slice() else { panic!("traffic TURNS RECORDS EVENTS") };
    let turns = turns.parse().expect("TURNS is a number");
    let open = |path: &String| BufWriter::new(File::create(path).expect("the file can be written"));
    let mut traffic = Traffic::new(open(records), open(events), 1);
    traffic.write(turns, true);
    let planted = traffic.finish();
    println!("{} faults of calls, {} writes around the gateway", planted.calls.len(), planted.writes.len());
}
