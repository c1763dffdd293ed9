//! The sidecar beside a bare forwarder of the same shape: what it adds to a request, to an event and to a call of a tool,
//! how many requests both answer, and what a thousand idle streams cost.
//!
//! Everything runs in one process on loopback: a provider that answers from memory, the forwarder, the sidecar, the
//! client. Rounds alternate between both, so that whatever else the machine does falls on both. Not criterion: what
//! counts is the tail of single requests.
#![forbid(unsafe_code)]

mod sidecar {
    pub(crate) mod measure;
    pub(crate) mod peers;
    pub(crate) mod rival;
}

use bytes::Bytes;
use sidecar::measure::{Latency, Table, resident_bytes};
use sidecar::peers::{Client, Fault, Peers};
use sidecar::rival::Rival;
use std::time::{Duration, Instant};

/// Sizes of chat requests, and how many are timed of each.
const SIZES: [(&str, usize, usize); 3] =
    [("2 KiB", 2 << 10, 4000), ("32 KiB", 32 << 10, 2000), ("1 MiB", 1 << 20, 120)];

/// The same for messages without personal data.
const PROSE: (&str, usize, usize) = ("32 KiB of prose", 32 << 10, 2000);

/// Events of one streamed answer, and how many answers are timed.
const EVENTS: usize = 400;
const ANSWERS: usize = 60;

/// How many calls of a tool are timed.
const CALLS: usize = 4000;

/// What a table of times says.
const HEAD: [&str; 5] = ["", "bare p50", "bare p99", "added p50", "added p99"];

/// How long saturation is measured, by how many connections.
const SATURATION: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 16;

/// How often the forwarder, the sidecar and the rival take turns.
const ROUNDS: usize = 3;

/// How many idle streams are opened.
const STREAMS: usize = 1000;

fn main() -> Result<(), Fault> {
    // `cargo test` and `cargo bench --no-run` must not measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match std::env::args().any(|argument| argument == "rival") {
        true => runtime.block_on(beside_the_rival()),
        false => runtime.block_on(measure()),
    }
}

/// What measures the calls of a tool alone, among the arguments.
const CALLS_ALONE: &str = "calls";

async fn measure() -> Result<(), Fault> {
    let peers = Peers::start(EVENTS).await?;
    if std::env::args().any(|argument| argument == CALLS_ALONE) {
        let mut table = Table::new(HEAD);
        tool_calls(&peers, &mut table).await?;
        table.print();
        return Ok(());
    }
    // First, while what is freed is not yet there to be used again.
    idle_streams(&peers).await?;
    let (bare, sidecar) = (peers.bare(), peers.sidecar());
    let mut table = Table::new(HEAD);
    let chats = SIZES.into_iter().map(|(name, size, count)| (name, peers.chat(size, false), count));
    let (name, size, count) = PROSE;
    for (name, body, count) in chats.chain([(name, peers.prose(size), count)]) {
        let (mut bare_times, mut sidecar_times) = (Latency::default(), Latency::default());
        for round in 0..count + count / 10 {
            let is_timed = round >= count / 10;
            for (client, times) in [(&bare, &mut bare_times), (&sidecar, &mut sidecar_times)] {
                let began = Instant::now();
                let answer = client.ask(&body).await?;
                if is_timed {
                    times.add(began.elapsed());
                }
                if answer.status != 200 || answer.bytes == 0 {
                    return Err(format!("{name}: an answer of status {}", answer.status).into());
                }
            }
        }
        table.latency(name, &mut bare_times, &mut sidecar_times);
    }
    events(&peers, (&bare, &sidecar), &mut table).await?;
    tool_calls(&peers, &mut table).await?;
    table.print();
    saturation(&peers).await?;
    peers.check()
}

/// The time of one event among many that come as fast as they can.
async fn events(peers: &Peers, (bare, sidecar): (&Client, &Client), table: &mut Table) -> Result<(), Fault> {
    let body = peers.chat(2 << 10, true);
    let (mut bare_times, mut sidecar_times) = (Latency::default(), Latency::default());
    for _ in 0..ANSWERS {
        for (client, times) in [(bare, &mut bare_times), (sidecar, &mut sidecar_times)] {
            let began = Instant::now();
            let answer = client.ask(&body).await?;
            times.add(began.elapsed() / u32::try_from(EVENTS)?);
            if answer.events < EVENTS {
                return Err(format!("{} of {EVENTS} events came", answer.events).into());
            }
        }
    }
    table.latency("one event", &mut bare_times, &mut sidecar_times);
    Ok(())
}

/// A call of a tool that looks a customer up.
async fn tool_calls(peers: &Peers, table: &mut Table) -> Result<(), Fault> {
    let (bare, sidecar, call) = (peers.bare_tool(), peers.sidecar_tool(), peers.call());
    let (mut bare_times, mut sidecar_times) = (Latency::default(), Latency::default());
    for round in 0..CALLS + CALLS / 10 {
        for (client, times, is_planted) in
            [(&bare, &mut bare_times, true), (&sidecar, &mut sidecar_times, false)]
        {
            let began = Instant::now();
            let answer = client.ask(&call).await?;
            if round >= CALLS / 10 {
                times.add(began.elapsed());
            }
            if answer.status != 200 || answer.is_planted != is_planted {
                return Err(format!("a tool: status {}, {} bytes", answer.status, answer.bytes).into());
            }
        }
    }
    table.latency("a call of a tool", &mut bare_times, &mut sidecar_times);
    Ok(())
}

/// Requests a second at 2 KiB and 32 KiB when clients do not wait.
async fn saturation(peers: &Peers) -> Result<(), Fault> {
    let mut table = Table::new(["requests a second", "bare", "sidecar", "ratio", ""]);
    for (name, size, _) in SIZES.into_iter().take(2) {
        let body = peers.chat(size, false);
        let (bare, _) = rate(&peers.bare(), &body).await?;
        let (sidecar, _) = rate(&peers.sidecar(), &body).await?;
        table.rates(name, bare, sidecar);
    }
    table.print();
    Ok(())
}

/// Requests a second when clients do not wait, and how many answers that were.
async fn rate(client: &Client, body: &Bytes) -> Result<(f64, usize), Fault> {
    let began = Instant::now();
    let end = began + SATURATION;
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, body) = (client.clone(), body.clone());
        tasks.push(tokio::spawn(async move {
            let mut answers = 0;
            while Instant::now() < end {
                match client.ask(&body).await {
                    Ok(answer) if answer.status == 200 => answers += 1,
                    Ok(answer) => return Err(format!("an answer of status {}", answer.status)),
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(answers)
        }));
    }
    let mut answers = 0;
    for task in tasks {
        answers += task.await??;
    }
    // Slow answers come after the time is over, and count with the time that they took.
    Ok((answers as f64 / began.elapsed().as_secs_f64(), answers))
}

/// Requests a second of the forwarder, the sidecar and the closest rival, in turn.
async fn beside_the_rival() -> Result<(), Fault> {
    let peers = Peers::start(EVENTS).await?;
    let rival = Rival::start(peers.provider()).await?;
    let mut table =
        Table::new(["requests a second", "bare", "sidecar", "redact-gateway", "sidecar is faster"]);
    let bodies = [
        ("2 KiB", peers.chat(2 << 10, false)),
        ("32 KiB", peers.chat(32 << 10, false)),
        ("32 KiB of prose", peers.prose(32 << 10)),
    ];
    for (name, body) in bodies {
        let mut rates = [[0.0; ROUNDS]; 3];
        for round in 0..ROUNDS {
            for (client, rates) in
                [peers.bare(), peers.sidecar(), peers.rival(rival.address())].iter().zip(&mut rates)
            {
                let before = peers.arrived();
                let (rate, answers) = rate(client, &body).await?;
                if peers.arrived() - before != answers {
                    return Err(format!(
                        "{name}: {answers} answers, and not as many requests at the provider"
                    )
                    .into());
                }
                rates[round] = rate;
            }
        }
        let [bare, sidecar, rival] = rates.map(median);
        table.rivals(name, [bare, sidecar, rival]);
    }
    table.print();
    peers.check()?;
    peers.check_rival()
}

fn median(mut rates: [f64; ROUNDS]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
}

/// What a stream costs that waits for its next event: with its client, its provider and both of its connections.
async fn idle_streams(peers: &Peers) -> Result<(), Fault> {
    let mut table = Table::new(["1,000 idle streams", "bare", "sidecar", "more a stream", ""]);
    let (mut costs, mut open) = (Vec::new(), Vec::new());
    for client in [peers.bare(), peers.sidecar()] {
        // Once before, so that what is made once is not counted.
        drop(client.open_idle(&peers.idle()).await?);
        let before = resident_bytes()?;
        for _ in 0..STREAMS {
            open.push(client.open_idle(&peers.idle()).await?);
        }
        // All stay open to the end: what one half frees the other would use.
        costs.push(resident_bytes()?.saturating_sub(before) / STREAMS as u64);
    }
    drop(open);
    table.bytes(costs[0], costs[1]);
    table.print();
    Ok(())
}
