//! A Stripe that is none: one charge, refunds of it, and the events that these make, on loopback.
//!
//! It does what the gateway relies on: keys that may do one thing each, idempotency keys whose first answer is told
//! again, request ids, and events that name both. Lists of events are pages, the newest first.

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The charge that there is.
pub(crate) const CHARGE: &str = "ch_3MmlLrLkdIwHu7ix0snN0B15";
/// Its customer.
const CUSTOMER: &str = "cus_NffrFeUfNV2Hib";
/// What was paid, in minor units.
const PAID: u64 = 2000;

/// A key of no account, in parts so that nobody takes it for one.
fn key(kind: &str, what: &str) -> String {
    [kind, "_test_", "51Example0Example0", what].concat()
}

/// The key of the gateway: charges and refunds.
pub(crate) fn gateway_key() -> String {
    key("rk", "Gateway")
}

/// The key that reads events, and nothing else.
pub(crate) fn events_key() -> String {
    key("rk", "Events")
}

/// The key that can do everything.
pub(crate) fn secret_key() -> String {
    key("sk", "Secret")
}

/// What has happened.
#[derive(Default)]
struct Ledger {
    /// The oldest first.
    events: Vec<Value>,
    refunded: u64,
    /// First answers, by idempotency key: the body of the request, its id, status and answer.
    kept: HashMap<String, (String, String, u16, String)>,
    requests: u64,
    seen: Vec<String>,
    /// Answers that are given instead of its own.
    faults: VecDeque<String>,
}

/// Answers until it is dropped.
pub(crate) struct Stripe {
    pub(crate) address: SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One request, as far as it matters.
struct Asked {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Stripe {
    pub(crate) fn start() -> Stripe {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (ledger, ends) = (Arc::<Mutex<Ledger>>::default(), Arc::<AtomicBool>::default());
        let (kept, over) = (Arc::clone(&ledger), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let ledger = Arc::clone(&kept);
                thread::spawn(move || serve(&stream.unwrap(), &ledger));
            }
        });
        Stripe { address, ledger, ends, thread: Some(thread) }
    }

    /// Requests so far: their first lines.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.ledger.lock().unwrap().seen.clone()
    }

    /// Puts an event there, as if something had happened then.
    pub(crate) fn add_event(&self, created: u64) {
        let mut ledger = self.ledger.lock().unwrap();
        let object = json!({"id": CUSTOMER, "object": "customer", "email": "jenny@example.com"});
        ledger.add("customer.updated", created, &object, &json!({"id": null, "idempotency_key": null}));
    }

    /// The next requests get these answers, whole as they are.
    pub(crate) fn answer_next(&self, answers: &[&str]) {
        self.ledger.lock().unwrap().faults.extend(answers.iter().map(|answer| (*answer).to_owned()));
    }

    /// Sends a request, as a client without a gateway does.
    pub(crate) fn ask(&self, key: &str, first: &str, headers: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "{first} HTTP/1.1\r\nHost: stripe\r\nAuthorization: Bearer {key}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes whoever waits for the next client.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}

fn serve(stream: &TcpStream, ledger: &Mutex<Ledger>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let Some(asked) = read(stream) else { return };
    let answer = {
        let mut ledger = ledger.lock().unwrap();
        ledger.seen.push(format!("{} {}", asked.method, asked.target));
        match ledger.faults.pop_front() {
            Some(answer) => answer,
            None => ledger.answer(&asked),
        }
    };
    // The client may be gone.
    drop((&mut &*stream).write_all(answer.as_bytes()));
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, target, headers, body: String::from_utf8(body).unwrap() })
}

/// The pairs of a form or a query. What stands in them here needs no decoding but of brackets.
fn pairs(text: &str) -> HashMap<String, String> {
    let decoded = text.replace("%5B", "[").replace("%5D", "]");
    let pairs = decoded.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn error(kind: &str, message: &str) -> String {
    json!({"error": {"type": kind, "message": message}}).to_string()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Ledger {
    fn answer(&mut self, asked: &Asked) -> String {
        self.requests += 1;
        let id = format!("req_Example{:07}", self.requests);
        let mut more = String::new();
        let (status, json) = self.judged(asked, &id, &mut more);
        format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nRequest-Id: {id}\r\n{more}Connection: \
             close\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        )
    }

    fn judged(&mut self, asked: &Asked, id: &str, more: &mut String) -> (u16, String) {
        let bearer = asked.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let path = asked.target.split('?').next().unwrap();
        let is_events = path == "/v1/events";
        let may = match bearer {
            Some(key) if key == secret_key() => true,
            Some(key) if key == events_key() => is_events && asked.method == "GET",
            Some(key) if key == gateway_key() => !is_events,
            _ => return (401, error("invalid_request_error", "Invalid API Key provided")),
        };
        if !may {
            let message = "The provided key does not have the required permissions for this endpoint";
            return (403, error("invalid_request_error", message));
        }
        match (asked.method.as_str(), path) {
            ("GET", "/v1/events") => {
                (200, self.page(asked.target.split_once('?').map_or("", |(_, query)| query)))
            }
            ("GET", path) if path == format!("/v1/charges/{CHARGE}") => (200, self.charge().to_string()),
            ("POST", "/v1/refunds") => self.once(asked, id, more),
            _ => (404, error("invalid_request_error", "Unrecognized request URL")),
        }
    }

    fn charge(&self) -> Value {
        json!({
            "id": CHARGE, "object": "charge", "amount": PAID, "amount_captured": PAID, "amount_refunded": self.refunded,
            "currency": "usd", "customer": CUSTOMER, "livemode": false,
            "billing_details": {"email": "jenny@example.com", "name": "Jenny Rosen"}
        })
    }

    /// Refunds once under each idempotency key.
    fn once(&mut self, asked: &Asked, id: &str, more: &mut String) -> (u16, String) {
        let key = asked.headers.get("idempotency-key").cloned();
        if let Some((body, first, status, answer)) = key.as_ref().and_then(|key| self.kept.get(key)) {
            if *body != asked.body {
                return (
                    400,
                    error(
                        "idempotency_error",
                        "Keys for idempotent requests can only be used with the same parameters",
                    ),
                );
            }
            *more = format!("Idempotent-Replayed: true\r\nOriginal-Request: {first}\r\n");
            return (*status, answer.clone());
        }
        let form = pairs(&asked.body);
        let amount = form.get("amount").map_or(PAID - self.refunded, |amount| amount.parse().unwrap());
        if form.get("charge").map(String::as_str) != Some(CHARGE) || amount > PAID - self.refunded {
            return (
                400,
                error("invalid_request_error", "Refund amount is greater than unrefunded amount on charge"),
            );
        }
        let before = self.refunded;
        self.refunded += amount;
        let refund = json!({
            "id": format!("re_3MmlLrLkdIwHu7ix{:08}", self.requests), "object": "refund", "amount": amount,
            "charge": CHARGE, "currency": "usd", "created": now(), "status": "succeeded", "metadata": {}
        });
        let request = json!({"id": id, "idempotency_key": key});
        self.add("refund.created", now(), &refund, &request);
        let charge = self.charge();
        self.add("charge.refunded", now(), &charge, &request);
        if let Some(event) = self.events.last_mut() {
            event["data"]["previous_attributes"] = json!({"amount_refunded": before});
        }
        self.add("refund.updated", now(), &refund, &request);
        if let Some(key) = key {
            self.kept.insert(key, (asked.body.clone(), id.to_owned(), 200, refund.to_string()));
        }
        (200, refund.to_string())
    }

    fn add(&mut self, kind: &str, created: u64, object: &Value, request: &Value) {
        self.events.push(json!({
            "id": format!("evt_3MmlLrLkdIwHu7ix{:08}", self.events.len() + 1), "object": "event",
            "api_version": "2024-06-20", "created": created, "data": {"object": object}, "livemode": false,
            "pending_webhooks": 0, "request": request, "type": kind
        }));
    }

    /// A page of events, the newest first.
    fn page(&self, query: &str) -> String {
        let query = pairs(query);
        let number = |name: &str| query.get(name).map(|text| text.parse::<u64>().unwrap());
        let (from, to) = (number("created[gte]").unwrap_or(0), number("created[lt]").unwrap_or(u64::MAX));
        let limit = usize::try_from(number("limit").unwrap_or(10)).unwrap();
        let wanted = |event: &&Value| (from..to).contains(&event["created"].as_u64().unwrap());
        let mut events: Vec<&Value> = self.events.iter().rev().filter(wanted).collect();
        if let Some(after) = query.get("starting_after") {
            let at = events.iter().position(|event| event["id"] == after.as_str()).unwrap();
            events.drain(..=at);
        }
        let has_more = events.len() > limit;
        events.truncate(limit);
        json!({"object": "list", "url": "/v1/events", "has_more": has_more, "data": events}).to_string()
    }
}
