//! Times, and tables of them.

use super::peers::Fault;
use std::time::Duration;

/// Times of single requests.
#[derive(Debug, Default)]
pub(crate) struct Latency(Vec<Duration>);

impl Latency {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that `hundredths` of all do not exceed, in microseconds.
    fn at(&mut self, hundredths: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * hundredths / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(0.0, Duration::as_secs_f64) * 1e6
    }
}

/// A table on standard output, in the form of the benches' README.
#[derive(Debug)]
pub(crate) struct Table(Vec<[String; 5]>);

impl Table {
    pub(crate) fn new(head: [&str; 5]) -> Table {
        Table(vec![head.map(str::to_owned)])
    }

    /// What the sidecar adds, in microseconds.
    pub(crate) fn latency(&mut self, name: &str, bare: &mut Latency, sidecar: &mut Latency) {
        let (p50, p99) = (bare.at(50), bare.at(99));
        let added = [sidecar.at(50) - p50, sidecar.at(99) - p99];
        let micros = |time: f64| format!("{time:.1} µs");
        self.0.push([name.to_owned(), micros(p50), micros(p99), micros(added[0]), micros(added[1])]);
    }

    pub(crate) fn rates(&mut self, name: &str, bare: f64, sidecar: f64) {
        let ratio = format!("{:.2}", sidecar / bare);
        self.0.push([name.to_owned(), format!("{bare:.0}"), format!("{sidecar:.0}"), ratio, String::new()]);
    }

    /// Of the forwarder, the sidecar and the rival.
    pub(crate) fn rivals(&mut self, name: &str, [bare, sidecar, rival]: [f64; 3]) {
        let rate = |rate: f64| format!("{rate:.0}");
        let times = format!("{:.1} times", sidecar / rival);
        self.0.push([name.to_owned(), rate(bare), rate(sidecar), format!("{rival:.1}"), times]);
    }

    pub(crate) fn bytes(&mut self, bare: u64, sidecar: u64) {
        let kib = |bytes: u64| format!("{} KiB", bytes >> 10);
        let more = kib(sidecar.saturating_sub(bare));
        self.0.push(["resident".to_owned(), kib(bare), kib(sidecar), more, String::new()]);
    }

    #[expect(clippy::print_stdout, reason = "a benchmark says what it measured")]
    pub(crate) fn print(&self) {
        for (at, row) in self.0.iter().enumerate() {
            println!("| {} |", row.join(" | "));
            if at == 0 {
                println!("| --- | ---: | ---: | ---: | ---: |");
            }
        }
        println!();
    }
}

/// How much memory of the process is resident.
pub(crate) fn resident_bytes() -> Result<u64, Fault> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the kernel does not say")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib << 10)
}
