//! What a decision of the gate costs without approval: to understand a call, to count it, to judge it.
//!
//! Goal: 50 µs for the three together (median).

use criterion::{BatchSize, Criterion};
use obelus_gate::{
    Body, Caller, Catalogue, Connection, MemoryTotals, Outcome, Policy, PolicyFile, Reservation, RestCall,
    Servers, Sums, ToolCall, Totals,
};
use std::error::Error;
use std::hint::black_box;

const CALLER: Caller<'_> = Caller { key: "k1", workflow: "support" };
const TEST: Connection<'_> = Connection { livemode: Some(false), account: Some("acct_1TestTestTest00") };
const NOON: u64 = 1_750_075_200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let catalogue = Catalogue::shipped()?;
    let policy = Policy::load(&[PolicyFile::preset()], &Servers::default())?;
    let read = ToolCall {
        tool: "list_customers",
        arguments: br#"{"limit": 10, "email": "jenny@example.com"}"#,
        connection: TEST,
    };
    let write = RestCall {
        method: "POST",
        path: "/v1/customers/cus_NffrFeUfNV2Hib",
        query: None,
        body: Body::Form(b"name=Jenny+Rosen&metadata[order]=6735&address[city]=Anytown"),
        connection: TEST,
    };
    let refund = ToolCall {
        tool: "stripe_api_write",
        arguments: br#"{"stripe_api_operation_id": "PostRefunds", "livemode": false, "stripe_context": "acct_1TestTestTest00",
            "parameters": {"charge": "ch_3MmlLrLkdIwHu7ix0snN0B15", "amount": 500}}"#,
        connection: TEST,
    };
    let allowed =
        |outcome: Outcome| if outcome == Outcome::Allow { Ok(()) } else { Err("the call is not allowed") };
    let decide = |operation: &_, sums: &_| policy.decide(operation, &CALLER, sums, NOON);
    allowed(decide(&catalogue.tool_call(&read)?, &Sums::default()).outcome)?;
    allowed(decide(&catalogue.rest(&write)?, &Sums::default()).outcome)?;

    let mut group = criterion.benchmark_group("gate");
    group.bench_function("understand/tool-read", |bencher| {
        bencher.iter(|| catalogue.tool_call(black_box(&read)))
    });
    group.bench_function("understand/rest-write", |bencher| {
        bencher.iter(|| catalogue.rest(black_box(&write)))
    });
    group.bench_function("understand/generic-refund", |bencher| {
        bencher.iter(|| catalogue.tool_call(black_box(&refund)))
    });
    group.bench_function("decision/tool-read", |bencher| {
        bencher.iter(|| {
            catalogue.tool_call(black_box(&read)).map(|operation| decide(&operation, &Sums::default()))
        });
    });
    let totals = MemoryTotals::default();
    let mut calls = 0_u64;
    group.bench_function("decision/rest-write-counted", |bencher| {
        let mut id = || {
            calls += 1;
            calls.to_string()
        };
        bencher.iter_batched(
            &mut id,
            |id| {
                let operation = catalogue.rest(black_box(&write)).ok()?;
                let reservation = Reservation::new(&id, &operation, CALLER.workflow, NOON)?;
                let sums = totals.reserve(&reservation).ok()?;
                let decision = decide(&operation, &sums);
                totals.commit(&id, None).ok()?;
                Some(decision)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("decision/generic-refund", |bencher| {
        bencher.iter(|| {
            catalogue.tool_call(black_box(&refund)).map(|operation| decide(&operation, &Sums::default()))
        });
    });
    group.finish();
    criterion.bench_function("gate-load", |bencher| {
        bencher.iter(|| Policy::load(&[PolicyFile::preset()], &Servers::default()));
    });
    criterion.final_summary();
    Ok(())
}
