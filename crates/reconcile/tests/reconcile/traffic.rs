//! Months of calls as records tell of them, and Stripe's events of the same time, with planted faults.

use obelus_audit::Utc;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;

/// 2025-03-01.
const BEGIN: u64 = 1_740_787_200_000_000;
const SECOND: u64 = 1_000_000;
/// How far events are out of order.
const SHUFFLE: usize = 64;

/// What pairing must find, and nothing else.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Planted {
    /// `seq` and word for each fault of a call.
    pub(crate) calls: BTreeSet<(u64, String)>,
    /// The request of each write around the gateway, and the record that had refused it.
    pub(crate) writes: BTreeSet<(String, Option<u64>)>,
    pub(crate) outside: u64,
    pub(crate) follow_ups: u64,
    pub(crate) not_done: u64,
    pub(crate) duplicates: u64,
    pub(crate) matched: u64,
}

/// One call: what records say of it and what events do.
#[derive(Clone, Default)]
pub(crate) struct Call {
    operation: &'static str,
    tool: bool,
    objects: Vec<String>,
    /// Ids that only the outcome names.
    made: Vec<String>,
    amount: Option<u64>,
    currency: &'static str,
    account: Option<&'static str>,
}

/// An event to be.
#[derive(Clone)]
struct Made {
    kind: &'static str,
    id: String,
    object: &'static str,
    parents: Vec<(&'static str, String)>,
}

/// Writes traffic.
pub(crate) struct Traffic<R, E> {
    records: R,
    events: E,
    shuffled: Vec<String>,
    state: u64,
    seq: u64,
    time: u64,
    ids: u64,
    pub(crate) planted: Planted,
}

impl<R: Write, E: Write> Traffic<R, E> {
    pub(crate) fn new(records: R, events: E, seed: u64) -> Traffic<R, E> {
        let (shuffled, planted) = (Vec::new(), Planted::default());
        let mut traffic =
            Traffic { records, events, shuffled, state: seed | 1, seq: 0, time: BEGIN, ids: 0, planted };
        traffic.record("started", "");
        traffic
    }

    /// Writes so many turns, every so often with a fault, or none.
    pub(crate) fn write(&mut self, turns: u64, faults: bool) {
        // So that whatever comes has events before it and behind it.
        self.refund(false);
        for turn in 0..turns {
            self.time += SECOND * (1 + self.random(600));
            if faults && turn % 50 == 49 {
                self.fault(turn / 50);
                continue;
            }
            match self.random(16) {
                0 | 1 => self.refund(false),
                2 => self.refund(true),
                3 => self.customer(),
                4 => self.finalize(),
                5 => self.subscription(),
                6 => self.without_events(),
                7 => drop(self.refused()),
                8 => self.declined(),
                9 => self.repeated(),
                10 => self.crashed(),
                11 => self.automatic(),
                12 => self.two_on_one_charge(),
                13 => self.connect(),
                14 => self.mcp_without_request(),
                _ => self.record("model_request", r#","decision":"allow""#),
            }
        }
        self.time += SECOND * 3600;
        self.refund(false);
    }

    /// Writes what is left, in the end.
    pub(crate) fn finish(mut self) -> Planted {
        self.flush(0);
        self.records.flush().expect("it can be written");
        self.events.flush().expect("it can be written");
        self.planted
    }

    fn random(&mut self, below: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}_1Quartz{:016}", self.ids)
    }

    fn record(&mut self, kind: &str, more: &str) {
        self.seq += 1;
        let time = Utc::from_micros(self.time);
        let zeros = "0".repeat(64);
        writeln!(
            self.records,
            r#"{{"seq":{},"time":"{time}","kind":"{kind}"{more},"prev":"{zeros}","hash":"{zeros}"}}"#,
            self.seq
        )
        .expect("it can be written");
    }

    fn flush(&mut self, keep: usize) {
        while self.shuffled.len() > keep {
            let at = usize::try_from(self.random(self.shuffled.len() as u64)).expect("it is small");
            let event = self.shuffled.swap_remove(at);
            writeln!(self.events, "{event}").expect("it can be written");
        }
    }

    /// An event in one of its forms, sometimes twice.
    fn event(&mut self, call: &Call, made: &Made, request: Option<&str>, key: Option<&str>) {
        let id = self.id("evt");
        let (seconds, time) = (self.time / SECOND, Utc::from_micros(self.time));
        let quoted = |text: Option<&str>| text.map_or("null".to_owned(), |text| format!("\"{text}\""));
        let asked = format!(r#"{{"id":{},"idempotency_key":{}}}"#, quoted(request), quoted(key));
        let (kind, object, object_id) = (made.kind, made.object, &made.id);
        let mut members = String::new();
        if let Some(amount) = call.amount {
            write!(
                members,
                r#","amount":{amount},"amount_received":{amount},"currency":"{}""#,
                call.currency
            )
            .expect("it is text");
        }
        for (name, parent) in &made.parents {
            write!(members, r#","{name}":"{parent}""#).expect("it is text");
        }
        let account = call.account.map_or(String::new(), |account| format!(r#","account":"{account}""#));
        // Thin events say nothing of amounts and of what the object belongs to.
        let is_thin =
            request.is_some() && key.is_some() && !call.tool && call.amount.is_none() && self.random(4) == 0;
        let text = if is_thin {
            let account = account.replace("account", "context");
            format!(
                r#"{{"id":"{id}","object":"v2.core.event","type":"v1.{kind}","created":"{time}","livemode":true{account},"related_object":{{"id":"{object_id}","type":"{object}","url":"/v1/x/{object_id}"}},"reason":{{"type":"request","request":{asked}}}}}"#
            )
        } else {
            let padding =
                r#","metadata":{"order":"6735"},"status":"succeeded","reason":null,"receipt_number":null"#;
            format!(
                r#"{{"id":"{id}","object":"event","api_version":"2025-02-24.acacia","created":{seconds}{account},"data":{{"object":{{"id":"{object_id}","object":"{object}"{members}{padding}}}}},"livemode":true,"pending_webhooks":1,"request":{asked},"type":"{kind}"}}"#
            )
        };
        if self.random(40) == 0 {
            self.planted.duplicates += 1;
            self.shuffled.push(text.clone());
        }
        self.shuffled.push(text);
        self.flush(SHUFFLE);
    }

    /// The records of a call: its intent, and unless it is cut off its outcome. Gives the `seq` of the first.
    fn call(&mut self, call: &Call, asked: Option<(&str, &str)>, end: Option<(&str, u16)>) -> u64 {
        let request_id = self.id("obelus");
        let mut intent = format!(r#","request_id":"{request_id}","operation":"{}""#, call.operation);
        let list = |ids: &[String]| format!(r#","stripe_objects":["{}"]"#, ids.join("\",\""));
        if call.tool {
            intent.push_str(r#","tool":"stripe_api_write""#);
        }
        if !call.objects.is_empty() {
            intent.push_str(&list(&call.objects));
        }
        if let Some(amount) = call.amount {
            write!(intent, r#","amount_minor":{amount},"currency":"{}""#, call.currency).expect("it is text");
        }
        if let Some(account) = call.account {
            write!(intent, r#","account":"{account}""#).expect("it is text");
        }
        if let Some((_, key)) = asked {
            write!(intent, r#","idempotency_key":"{key}""#).expect("it is text");
        }
        self.record("call", &format!(r#"{intent},"livemode":true,"decision":"allow""#));
        let seq = self.seq;
        self.time += SECOND / 4;
        if let Some((outcome, status)) = end {
            let mut text = format!(r#","request_id":"{request_id}","outcome":"{outcome}","status":{status}"#);
            if let Some((request, _)) = asked {
                write!(text, r#","upstream_request_id":"{request}""#).expect("it is text");
            }
            if !call.made.is_empty() {
                text.push_str(&list(&call.made));
            }
            self.record("call_outcome", &text);
        }
        seq
    }

    /// A call that is done, with its events.
    fn done(&mut self, call: &Call, events: &[Made]) -> u64 {
        self.told_otherwise(call, call, events)
    }

    /// A call that is done, whose events tell of another.
    fn told_otherwise(&mut self, call: &Call, told: &Call, events: &[Made]) -> u64 {
        self.planted.matched += 1;
        let (request, key) = (self.id("req"), self.id("key"));
        let asked = (!call.tool).then_some((request.as_str(), key.as_str()));
        let begun = self.time;
        let seq = self.call(call, asked, Some(("completed", 200)));
        let ended = std::mem::replace(&mut self.time, begun + SECOND / 8);
        for made in events {
            self.event(told, made, Some(&request), Some(&key));
        }
        self.time = ended;
        seq
    }

    fn refund_of(&mut self, tool: bool) -> (Call, Vec<Made>) {
        let [payment, charge, refund] = ["pi", "ch", "re"].map(|prefix| self.id(prefix));
        let call = Call {
            operation: "PostRefunds",
            tool,
            objects: vec![payment.clone()],
            made: vec![refund.clone(), charge.clone()],
            amount: Some(100 + self.random(10_000)),
            currency: "usd",
            account: None,
        };
        (call, refund_events(&refund, &charge, &payment))
    }

    fn refund(&mut self, tool: bool) {
        let (call, events) = self.refund_of(tool);
        self.done(&call, &events);
        if self.random(5) == 0 {
            // It fails days later, by itself.
            let now = self.time;
            self.time += SECOND * 120;
            self.event(&call, &Made { kind: "refund.failed", ..events[0].clone() }, None, None);
            self.time = now;
            self.planted.follow_ups += 1;
        }
    }

    fn plain(&mut self, operation: &'static str, named: &[&str]) -> Call {
        let objects = named.iter().map(|prefix| self.id(prefix)).collect();
        Call { operation, objects, currency: "usd", ..Call::default() }
    }

    fn customer(&mut self) {
        let mut call = self.plain("PostCustomers", &[]);
        let id = self.id("cus");
        call.made = vec![id.clone()];
        self.done(&call, &[made("customer.created", &id, "customer", &[])]);
    }

    fn finalize(&mut self) {
        let call = self.plain("PostInvoicesInvoiceFinalize", &["in"]);
        let payment = self.id("pi");
        self.done(
            &call,
            &[
                made("payment_intent.created", &payment, "payment_intent", &[("invoice", &call.objects[0])]),
                made("invoice.finalized", &call.objects[0], "invoice", &[]),
            ],
        );
    }

    fn subscription(&mut self) {
        let mut call = self.plain("PostSubscriptions", &["cus", "price"]);
        let [subscription, invoice, charge] = ["sub", "in", "ch"].map(|prefix| self.id(prefix));
        call.made = vec![subscription.clone()];
        let customer = call.objects[0].clone();
        self.done(
            &call,
            &[
                made(
                    "invoice.created",
                    &invoice,
                    "invoice",
                    &[("customer", &customer), ("subscription", &subscription)],
                ),
                made(
                    "charge.succeeded",
                    &charge,
                    "charge",
                    &[("customer", &customer), ("invoice", &invoice)],
                ),
                made(
                    "customer.subscription.created",
                    &subscription,
                    "subscription",
                    &[("customer", &customer)],
                ),
                made("customer.updated", &customer, "customer", &[]),
                // Not in the table.
                made("balance.available", "", "balance", &[]),
            ],
        );
    }

    fn without_events(&mut self) {
        let (operation, named): (_, &[&str]) = match self.random(3) {
            0 => ("GetCustomersCustomer", &["cus"]),
            1 => ("PostWebhookEndpoints", &[]),
            _ => ("PostProductsId", &["prod"]),
        };
        let call = self.plain(operation, named);
        let (request, key) = (self.id("req"), self.id("key"));
        self.call(&call, Some((&request, &key)), Some(("completed", 200)));
        let invalid = self.plain("PostRefunds", &["pi"]);
        let (request, key) = (self.id("req"), self.id("key"));
        self.call(&invalid, Some((&request, &key)), Some(("completed", 400)));
    }

    fn refused(&mut self) -> (Call, String) {
        let (call, _) = self.refund_of(false);
        let (id, key) = (self.id("obelus"), self.id("key"));
        let more = format!(
            r#","request_id":"{id}","operation":"PostRefunds","stripe_objects":["{}"],"idempotency_key":"{key}","decision":"refuse","status":403"#,
            call.objects[0]
        );
        self.record("call", &more);
        (call, key)
    }

    fn declined(&mut self) {
        let mut call = self.plain("PostPaymentIntents", &[]);
        let [payment, charge] = ["pi", "ch"].map(|prefix| self.id(prefix));
        call.amount = Some(4242);
        let (request, key) = (self.id("req"), self.id("key"));
        self.call(&call, Some((&request, &key)), Some(("completed", 402)));
        for made in [
            made("payment_intent.created", &payment, "payment_intent", &[]),
            made("charge.failed", &charge, "charge", &[("payment_intent", &payment)]),
        ] {
            self.event(&call, &made, Some(&request), Some(&key));
        }
        self.planted.matched += 1;
    }

    /// An attempt whose answer was lost, and the one that got it.
    fn repeated(&mut self) {
        let (call, events) = self.refund_of(false);
        let [first, second, key] = ["req", "req", "key"].map(|prefix| self.id(prefix));
        let lost = Call { made: Vec::new(), ..call.clone() };
        let begun = self.time;
        self.call(&lost, Some((&first, &key)), None);
        for made in &events {
            self.event(&call, made, Some(&first), Some(&key));
        }
        self.time = begun + 90 * SECOND;
        self.call(&call, Some((&second, &key)), Some(("completed", 200)));
        self.planted.matched += 1;
    }

    /// The gateway ends before it knows what came of a call: half of them were done.
    fn crashed(&mut self) {
        let tool = self.random(2) == 0;
        let (call, events) = self.refund_of(tool);
        let (request, key) = (self.id("req"), self.id("key"));
        self.call(&call, (!tool).then_some((&request, &key)), None);
        if self.random(2) == 0 {
            for made in &events {
                self.event(&call, made, Some(&request), Some(&key));
            }
            self.planted.matched += 1;
        } else {
            self.planted.not_done += 1;
        }
    }

    fn automatic(&mut self) {
        let call = Call { amount: Some(5000), currency: "usd", ..Call::default() };
        let (kind, prefix, object) = match self.random(3) {
            0 => ("payout.paid", "po", "payout"),
            1 => ("charge.dispute.created", "du", "dispute"),
            // In the dashboard.
            _ => ("refund.created", "re", "refund"),
        };
        let [id, charge] = [prefix, "ch"].map(|prefix| self.id(prefix));
        self.event(&call, &made(kind, &id, object, &[("charge", &charge)]), None, None);
        self.planted.outside += 1;
    }

    fn two_on_one_charge(&mut self) {
        let (mut one, events) = self.refund_of(true);
        one.amount = Some(500);
        let mut two = one.clone();
        let refund = self.id("re");
        two.made[0] = refund.clone();
        let others = refund_events(&refund, &one.made[1], &one.objects[0]);
        self.done(&one, &events);
        self.time += 3 * SECOND;
        self.done(&two, &others);
    }

    fn connect(&mut self) {
        let (mut call, events) = self.refund_of(false);
        call.account = Some("acct_1QuartzConnected");
        self.done(&call, &events);
    }

    fn mcp_without_request(&mut self) {
        let (call, events) = self.refund_of(true);
        self.call(&call, None, Some(("completed", 200)));
        for made in &events {
            self.event(&call, made, None, None);
        }
        self.planted.matched += 1;
        // The last of them is none that only a call can cause.
        self.planted.follow_ups += 1;
    }

    fn expect(&mut self, seq: u64, what: &str) {
        self.planted.calls.insert((seq, what.to_owned()));
    }

    /// A request around the gateway.
    fn around(&mut self, call: &Call, events: &[Made], key: Option<&str>, refused: Option<u64>) {
        let request = self.id("req");
        for made in events {
            self.event(call, made, Some(&request), key);
        }
        self.planted.writes.insert((request, refused));
    }

    fn fault(&mut self, number: u64) {
        let (call, events) = self.refund_of(number / 12 % 2 == 1);
        match number % 12 {
            0 => {
                self.planted.matched -= 1;
                let seq = self.told_otherwise(&call, &call, &[]);
                self.expect(seq, "no_event");
            }
            1 => {
                let told = Call { amount: call.amount.map(|amount| amount * 10), ..call.clone() };
                let seq = self.told_otherwise(&call, &told, &events);
                self.expect(seq, "amount");
            }
            2 => {
                let told = Call { currency: "jpy", ..call.clone() };
                let seq = self.told_otherwise(&call, &told, &events);
                self.expect(seq, "currency");
            }
            3 => {
                let call = Call { tool: false, ..call };
                let other = self.id("re");
                let told = refund_events(&other, &call.made[1], &call.objects[0]);
                let seq = self.told_otherwise(&call, &call, &told);
                self.expect(seq, "object");
            }
            4 => {
                let call = Call { tool: false, ..call };
                let payout = self.id("po");
                let seq =
                    self.told_otherwise(&call, &call, &[made("payout.created", &payout, "payout", &[])]);
                self.expect(seq, "operation");
            }
            5 => {
                let call = Call { tool: false, account: Some("acct_1QuartzOne"), ..call };
                let told = Call { account: Some("acct_1QuartzTwo"), ..call.clone() };
                let seq = self.told_otherwise(&call, &told, &events);
                self.expect(seq, "account");
            }
            6 => {
                let key = self.id("key");
                self.around(&call, &events, Some(&key), None);
            }
            7 => {
                let subscription = self.id("sub");
                let call = self.plain("", &[]);
                let ended = made("customer.subscription.deleted", &subscription, "subscription", &[]);
                self.around(&call, &[ended], None, None);
            }
            _ => self.hidden_fault(number % 12),
        }
    }

    /// Writes around the gateway that look much like a call.
    fn hidden_fault(&mut self, number: u64) {
        let key = self.id("key");
        match number {
            // On the charge of a call, seconds later.
            8 | 9 => {
                let (call, events) = self.refund_of(true);
                self.done(&call, &events);
                self.time += 2 * SECOND;
                let other = self.id("re");
                let events = refund_events(&other, &call.made[1], &call.objects[0]);
                self.around(&call, &events, Some(&key), None);
            }
            // Under the key of a call that was refused.
            10 => {
                let (call, key) = self.refused();
                let refused = self.seq;
                let [refund, charge] = ["re", "ch"].map(|prefix| self.id(prefix));
                let events = refund_events(&refund, &charge, &call.objects[0]);
                self.around(&call, &events, Some(&key), Some(refused));
            }
            // Under the key of a call that was done, when Stripe has forgotten it.
            _ => {
                let (call, events) = self.refund_of(false);
                let request = self.id("req");
                self.call(&call, Some((&request, &key)), Some(("completed", 200)));
                for made in &events {
                    self.event(&call, made, Some(&request), Some(&key));
                }
                self.planted.matched += 1;
                self.time += 30 * 3600 * SECOND;
                let other = self.id("re");
                let again = refund_events(&other, &call.made[1], &call.objects[0]);
                self.around(&call, &again, Some(&key), None);
            }
        }
    }
}

fn refund_events(refund: &str, charge: &str, payment: &str) -> Vec<Made> {
    let parents: &[(&'static str, &str)] = &[("charge", charge), ("payment_intent", payment)];
    vec![
        made("refund.created", refund, "refund", parents),
        made("charge.refunded", charge, "charge", &[("payment_intent", payment)]),
        made("charge.refund.updated", refund, "refund", parents),
    ]
}

fn made(kind: &'static str, id: &str, object: &'static str, parents: &[(&'static str, &str)]) -> Made {
    let parents = parents.iter().map(|(name, id)| (*name, (*id).to_owned())).collect();
    Made { kind, id: id.to_owned(), object, parents }
}
