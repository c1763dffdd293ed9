//! A call that may leave: used up, recorded, sent, recorded again.

use super::handler::{Caller, Exchange, still_allowed};
use super::incoming::{Incoming, Media};
use super::judge::{Judging, release, unkept};
use super::subjects;
use super::{Access, Gate, GateStores, reply, unix_seconds};
use crate::answer::Answer;
use crate::body::{self, Bounds};
use crate::guard::work;
use crate::handler::{media_type, of_upstream};
use crate::headers;
use crate::memory::Lease;
use crate::metrics::Direction;
use crate::open::Ticket;
use crate::refused::{Refused, Why};
use crate::seen::seen;
use crate::upstream::{Outgoing, Unanswered};
use bytes::Bytes;
use hyper::body::Incoming as HyperBody;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::{Method, Response};
use obelus_audit::{Coverage, Kind, Outcome, Place, SealedCall, Word};
use obelus_gate::{Approval, ApprovalError, Currency, Found, Operation, Permit, Recorded, State, Totals};
use obelus_vault::{Holder, Scope};
use obelus_wire::Redacted;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How much of an answer to a look-up is read.
const LOOKUP_BYTES_MAX: usize = 256 << 10;
/// How long the answer to a look-up may take.
const LOOKUP_IDLE: Duration = Duration::from_secs(10);

/// A call that may leave, and everything that it needs.
pub(super) struct Job {
    pub(super) exchange: Exchange,
    pub(super) gate: Arc<Gate>,
    pub(super) stores: Arc<GateStores>,
    pub(super) access: Arc<Access>,
    pub(super) caller: Caller,
    pub(super) holder: Holder,
    pub(super) ticket: Ticket,
    pub(super) scope: Scope,
    pub(super) incoming: Incoming,
    pub(super) operation: Operation,
    pub(super) lease: Lease,
    pub(super) idempotency_key: Option<String>,
    /// The name under which it is counted.
    pub(super) counted: Option<String>,
    pub(super) approval: Option<Approval>,
    /// Bytes of the answer, and what was found in it, without its body.
    pub(super) answered: Option<(usize, Redacted)>,
}

/// How a call ended.
enum Ended {
    /// The other side has said what came of it.
    Answered(Recorded),
    /// Nothing of it left.
    Unsent(Refused),
    /// It left, and nobody knows what came of it. What the client is told.
    Unknown(Result<Recorded, Refused>),
}

impl Job {
    pub(super) async fn run(mut self) -> Result<Response<Answer>, Refused> {
        let permit = match self.leave().await {
            Ok(permit) => permit,
            Err(refused) => {
                self.exchange.refuse(&refused);
                return Err(refused);
            }
        };
        // Taken now, so that what comes of it can be recorded whatever happens.
        let place = match self.exchange.core.reserve().await {
            Ok(place) => place,
            Err(refused) => {
                self.take_back(permit).await;
                return Err(refused);
            }
        };
        let key =
            permit.as_ref().map(|permit| permit.idempotency_key.clone()).or(self.idempotency_key.take());
        let outgoing = match self.outgoing(key.as_deref()) {
            Ok(outgoing) => outgoing,
            Err(refused) => {
                self.take_back(permit).await;
                return Err(refused);
            }
        };
        let ended = self.send(outgoing).await;
        self.settle(ended, permit, place).await
    }

    /// Everything that must hold, and be written, before the call leaves.
    async fn leave(&mut self) -> Result<Option<Permit>, Refused> {
        self.exchange.core.check_audit()?;
        if self.operation.is_read() {
            still_allowed(&self.exchange.core, &self.holder, &mut self.ticket)?;
            self.exchange.allow_read().await?;
            return Ok(None);
        }
        if let Err(refused) = still_allowed(&self.exchange.core, &self.holder, &mut self.ticket) {
            self.take_back(None).await;
            return Err(refused);
        }
        let permit = match self.approval.clone() {
            None => None,
            Some(approval) => Some(self.consume(approval).await?),
        };
        if let Some(permit) = &permit {
            // What leaves is what was approved, whatever was sent now.
            let approved = Incoming::of_payload(&permit.payload);
            self.incoming = approved.ok_or_else(|| unkept(ApprovalError::Damaged))?;
        }
        let key = permit.as_ref().map(|permit| permit.idempotency_key.clone());
        let key = key.unwrap_or_else(|| {
            let own = || format!("obelus-{}", self.exchange.request_id);
            self.idempotency_key.get_or_insert_with(own).clone()
        });
        self.exchange.call.idempotency_key = Word::new(&key);
        let allowed = match self.sealed().await {
            Ok(sealed) => {
                self.exchange.call.sealed = sealed;
                self.exchange.allow_mutation().await
            }
            Err(refused) => Err(refused),
        };
        // Once is enough: the record of what came of it need not hold it again.
        self.exchange.call.sealed = None;
        if let Err(refused) = allowed {
            self.take_back(permit).await;
            return Err(refused);
        }
        Ok(permit)
    }

    /// The call as it will leave, under the key of whom it is about, if records are to hold it.
    async fn sealed(&self) -> Result<Option<SealedCall>, Refused> {
        if self.stores.subjects.is_none() {
            return Ok(None);
        }
        let (stores, subject) = (Arc::clone(&self.stores), self.subject());
        let (request_id, payload) =
            (self.exchange.request_id.clone(), self.incoming.to_record(&self.operation));
        let sealed = work(usize::MAX, move || subjects::sealed(&stores, &subject, &request_id, &payload));
        sealed.await.map_err(Refused::from)?.map_err(|error| {
            tracing::error!(%error, "gate.subjects");
            let message = "the call cannot be sealed for its record, so it is not forwarded: try again";
            Refused::new(503, Why::Audit, message).retry_after(1)
        })
    }

    fn subject(&self) -> String {
        subjects::subject(&self.operation, &self.exchange.request_id)
    }

    /// A call that named nobody was about what it has made.
    async fn name_subject(&self, recorded: &Recorded) {
        let subject = self.subject();
        if self.stores.subjects.is_none() || !subjects::is_unknown(&subject) || recorded.status >= 400 {
            return;
        }
        let Some(made) = made(recorded) else { return };
        let stores = Arc::clone(&self.stores);
        let named = work(usize::MAX, move || {
            stores.subjects.as_ref().map(|keys| keys.rename(&subject, made.as_str()))
        });
        if !matches!(named.await, Ok(None | Some(Ok(())))) {
            tracing::error!(request_id = %self.exchange.request_id, "gate.subjects: whom the call was about is not noted");
        }
    }

    /// Uses the approval up, if the call may still leave by the rules and totals of now.
    async fn consume(&mut self, approval: Approval) -> Result<Permit, Refused> {
        let (gate, stores) = (Arc::clone(&self.gate), Arc::clone(&self.stores));
        let (caller, operation) = (self.caller.clone(), self.operation.clone());
        let consumed = work(usize::MAX, move || {
            let now = unix_seconds();
            if approval.state == State::Unknown {
                return (None, stores.approvals.retry(&approval.id, now).map_err(not_now));
            }
            let judging = Judging { gate: &gate, stores: &stores, caller: &caller, operation: &operation };
            match judging.again(&approval) {
                Ok(decision) => {
                    let permit = stores.approvals.consume(&approval.id, gate.rules.version(), now);
                    (Some(decision), permit.map_err(not_now))
                }
                Err((decision, refused)) => (Some(decision), Err(refused)),
            }
        });
        let (decision, permit) = consumed.await.map_err(Refused::from)?;
        if let Some(decision) = decision {
            self.exchange.judged(&decision);
        }
        permit
    }

    /// Nothing left and nothing will.
    async fn take_back(&mut self, permit: Option<Permit>) {
        let (stores, counted) = (Arc::clone(&self.stores), self.counted.clone());
        let has_approval = self.approval.is_some();
        let done = work(usize::MAX, move || match permit {
            Some(permit) => stores.approvals.give_back(&permit.id, unix_seconds()),
            None => {
                if let Some(id) = counted.filter(|_| !has_approval) {
                    release(&stores, &id);
                }
                Ok(())
            }
        });
        if !matches!(done.await, Ok(Ok(()))) {
            tracing::warn!("a call that did not leave counts as one of which nobody knows");
        }
    }

    fn outgoing(&self, idempotency_key: Option<&str>) -> Result<Outgoing, Refused> {
        let malformed = || Refused::new(400, Why::Malformed, "the call cannot be forwarded");
        let incoming = &self.incoming;
        let mut headers = HeaderMap::with_capacity(8);
        for (name, value) in &incoming.headers {
            let name = name.parse::<HeaderName>().map_err(|_invalid| malformed())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_invalid| malformed())?);
        }
        let media = match incoming.media {
            Media::Empty => None,
            Media::Form => Some(HeaderValue::from_static("application/x-www-form-urlencoded")),
            Media::Json => Some(HeaderValue::from_static("application/json")),
            Media::Parts => {
                let boundary = incoming.boundary().ok_or_else(malformed)?;
                let media = format!("multipart/form-data; boundary=\"{boundary}\"");
                Some(HeaderValue::from_str(&media).map_err(|_invalid| malformed())?)
            }
        };
        if let Some(media) = media {
            headers.insert(CONTENT_TYPE, media);
        }
        if let Some(key) = idempotency_key.filter(|_| !self.operation.is_read()) {
            let value = HeaderValue::from_str(key).map_err(|_invalid| malformed())?;
            headers.insert("idempotency-key", value);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(AUTHORIZATION, self.access.credential());
        let query = incoming.query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        Ok(Outgoing {
            method: incoming.method.parse::<Method>().map_err(|_invalid| malformed())?,
            path: format!("{}{query}", incoming.path),
            headers,
            body: Bytes::from(incoming.body.clone()),
        })
    }

    /// Sends it and reads what comes back.
    async fn send(&mut self, outgoing: Outgoing) -> Ended {
        let entry = self.gate.catalogue.entry(&self.operation.operation);
        let (scheme, authority) = match self.access.origin(entry) {
            Ok(origin) => origin,
            Err(refused) => return Ended::Unsent(refused),
        };
        let response = match self.access.client.request((scheme, authority), outgoing).await {
            Ok(response) => response,
            Err(Unanswered { refused, has_left: false }) => return Ended::Unsent(refused),
            Err(Unanswered { refused, .. }) => return Ended::Unknown(Err(refused)),
        };
        let status = response.status().as_u16();
        self.exchange.core.metrics.upstream("stripe", status);
        let request_id = response.headers().get("request-id").and_then(|value| value.to_str().ok());
        let request_id = request_id.and_then(Word::new).map(|word| word.as_str().to_owned());
        let body = match self.read(response).await {
            Ok(body) => body,
            // Something has come of it; what, cannot be told.
            Err(refused) => return Ended::Unknown(Err(refused)),
        };
        let recorded = Recorded { status, request_id, body };
        match status {
            // Another call under the same key is on its way, too much at once, or a fault of the other side: under the
            // same key it can be sent again.
            409 | 429 | 500.. => Ended::Unknown(Ok(recorded)),
            _ => Ended::Answered(recorded),
        }
    }

    /// The body of an answer, redacted.
    async fn read(&mut self, response: Response<HyperBody>) -> Result<Vec<u8>, Refused> {
        let (head, body) = response.into_parts();
        let refuse = |message: &'static str| Err(Refused::new(502, Why::Upstream, message));
        if head.status.as_u16() == 401 {
            // It may quote the end of the key.
            return refuse("Stripe does not accept the gate's key: whoever runs the gate must set another");
        }
        if head.status.is_redirection() || head.status.is_informational() {
            return refuse("Stripe redirects, which is not followed: check gate.stripe.url");
        }
        if head.headers.get_all(CONTENT_ENCODING).iter().any(|value| value != "identity") {
            return refuse("Stripe's answer is compressed, although that was not asked for");
        }
        let media = headers::single(&head.headers, &CONTENT_TYPE).ok().flatten().and_then(media_type);
        if media.as_deref() != Some("application/json") {
            return refuse("Stripe's answer is no JSON, so it cannot be read");
        }
        let config = &self.exchange.policy.config;
        let bounds = Bounds { bytes_max: config.limits.answer_bytes, idle: config.timeouts.stream_idle };
        let body = body::read(body, bounds, &mut self.lease).await.map_err(of_upstream)?;
        if !self.lease.grow(body.len()) {
            return Err(body::no_memory());
        }
        let (access, scope) = (Arc::clone(&self.access), self.scope.clone());
        let bytes = body.len();
        let redacted = work(bytes, move || access.documents.redact(&body, &scope));
        let mut redacted = redacted.await.map_err(Refused::from)?.map_err(Refused::from)?;
        self.exchange.core.metrics.findings(&redacted.counts, Direction::Answer);
        let body = std::mem::take(&mut redacted.body);
        self.answered = Some((bytes, redacted));
        Ok(body)
    }

    /// Keeps what came of it, counts it, records it, and tells the client.
    async fn settle(
        mut self,
        ended: Ended,
        permit: Option<Permit>,
        place: Place,
    ) -> Result<Response<Answer>, Refused> {
        let mut record = self.exchange.record(Kind::CallOutcome);
        // Those of the call stand in the record of its decision.
        record.exposed.clear();
        if let Some((bytes, Redacted { counts, keys, .. })) = self.answered.take() {
            record.exposed = seen(&self.exchange.core, &keys, Some(&self.exchange.request_id));
            record.coverage = Some(Coverage { scanned_bytes: bytes as u64, unread: Vec::new() });
            record.redactions = counts.iter().map(|(category, count)| (category.as_str(), *count)).collect();
        }
        let (outcome, told) = match ended {
            Ended::Answered(recorded) => {
                self.keep(permit, Some(recorded.clone())).await;
                self.name_subject(&recorded).await;
                let outcome = if recorded.status < 400 { Outcome::Completed } else { Outcome::Failed };
                (outcome, Ok(recorded))
            }
            Ended::Unsent(refused) => {
                self.take_back(permit).await;
                (Outcome::Failed, Err(refused))
            }
            Ended::Unknown(told) => {
                self.keep(permit, None).await;
                let is_read = self.operation.is_read();
                (if is_read { Outcome::Failed } else { Outcome::Unknown }, told)
            }
        };
        record.outcome = Some(outcome);
        match &told {
            Ok(recorded) => {
                record.status = Some(recorded.status);
                let made = made(recorded).filter(|_| !self.operation.is_read());
                record.stripe_objects.extend(made.filter(|id| !record.stripe_objects.contains(id)));
                record.upstream_request_id = recorded.request_id.as_deref().and_then(Word::new);
            }
            Err(refused) => {
                record.status = Some(refused.status);
                record.reason = Some(refused.why.as_str());
                self.exchange.core.metrics.refusal(refused.why);
            }
        }
        place.put(&record, SystemTime::now());
        told.map(reply::outcome)
    }

    /// Keeps what came of a call that left; nothing if nobody knows.
    async fn keep(&self, permit: Option<Permit>, recorded: Option<Recorded>) {
        if self.operation.is_read() {
            return;
        }
        let (stores, counted) = (Arc::clone(&self.stores), self.counted.clone());
        let kept = work(usize::MAX, move || {
            let now = unix_seconds();
            if let Some(permit) = permit {
                match &recorded {
                    Some(recorded) => stores.approvals.record(&permit.id, recorded, now)?,
                    None => stores.approvals.lose(&permit.id, now)?,
                }
            }
            if let Some(id) = counted {
                match &recorded {
                    Some(recorded) if recorded.status >= 400 => release(&stores, &id),
                    // Of what nobody knows, all of it counts.
                    Some(_) => drop(stores.totals.commit(&id, None)),
                    None => {}
                }
            }
            Ok::<(), ApprovalError>(())
        });
        if !matches!(kept.await, Ok(Ok(()))) {
            tracing::error!("what came of a call cannot be kept: it counts as one of which nobody knows");
        }
    }
}

/// The object that a call has made or changed, if its answer is one.
fn made(recorded: &Recorded) -> Option<Word> {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
        #[serde(borrow, rename = "object")]
        _is_named: Cow<'a, str>,
    }
    let object: Object<'_> = serde_json::from_slice(&recorded.body).ok()?;
    // What may stand in records is an id of Stripe's own making: others can be chosen, and say anything.
    let (prefix, rest) = object.id.rsplit_once('_')?;
    let is_made = rest.len() >= 8 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_prefix =
        prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
    Word::new(&object.id).filter(|_| is_made && is_prefix)
}

/// Why an approval was not used up.
fn not_now(error: ApprovalError) -> Refused {
    match error {
        ApprovalError::State(State::Executing) => Refused::new(
            409,
            Why::Denied,
            "the call is on its way: repeat the request to learn what came of it",
        )
        .retry_after(1),
        ApprovalError::State(State::Done) => Refused::new(
            409,
            Why::Denied,
            "the call was executed: repeat the request to learn what came of it",
        )
        .retry_after(1),
        ApprovalError::Unavailable | ApprovalError::Random => unkept(error),
        error => Refused::new(403, Why::Denied, format!("denied: {error}")),
    }
}

/// The operation with what a look-up says of the payment that it is about. If that fails, it stays as it is: about all
/// that there may be.
pub(super) async fn looked_up(access: &Access, mut operation: Operation, incoming: &Incoming) -> Operation {
    let Some(lookup) = operation.lookup().filter(|_| access.stripe.lookups) else { return operation };
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(AUTHORIZATION, access.credential());
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in &incoming.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let path = format!("{}?expand[]=latest_charge", lookup.path);
    let path = if lookup.operation == "GetChargesCharge" { lookup.path } else { path };
    let outgoing = Outgoing { method: Method::GET, path, headers, body: Bytes::new() };
    let (scheme, authority) = &access.stripe.api;
    let Ok(response) = access.client.request((scheme, authority), outgoing).await else { return operation };
    if !response.status().is_success() {
        return operation;
    }
    let memory = crate::memory::Memory::new(2 * LOOKUP_BYTES_MAX);
    let bounds = Bounds { bytes_max: LOOKUP_BYTES_MAX, idle: LOOKUP_IDLE };
    let Ok(body) = body::read(response.into_body(), bounds, &mut memory.lease()).await else {
        return operation;
    };
    if let Ok(payment) = serde_json::from_slice::<Value>(&body) {
        operation.fill_in(found(&operation.operation, &payment));
    }
    operation
}

/// What a payment says of itself.
fn found(operation: &str, payment: &Value) -> Found {
    let number = |at: &Value, name: &str| at.get(name).and_then(Value::as_u64);
    let charge = payment.get("latest_charge").filter(|charge| charge.is_object()).unwrap_or(payment);
    let remaining_minor = if operation == "PostRefunds" {
        number(charge, "amount_captured")
            .zip(number(charge, "amount_refunded"))
            .and_then(|(captured, refunded)| captured.checked_sub(refunded))
    } else {
        number(payment, "amount_capturable").or_else(|| number(payment, "amount"))
    };
    let customer = payment.get("customer");
    let customer = customer.and_then(|customer| customer.get("id")).or(customer);
    Found {
        remaining_minor,
        currency: payment.get("currency").and_then(Value::as_str).and_then(Currency::parse),
        customer: customer.and_then(Value::as_str).map(str::to_owned),
    }
}
