//! A call from its head to its answer.

use super::desk::about;
use super::execute::{self, Job};
use super::incoming::{Incoming, Media};
use super::judge::{Asked, Judging, Verdict, ended, unkept};
use super::summary::{RESTRICTED_KEY, SECRET_KEY, Way};
use super::{Access, Gate, GateStores, reply, summary, unix_seconds};
use crate::answer::Answer;
use crate::body::{self, Bounds};
use crate::core::Core;
use crate::decode::decode;
use crate::exchange::{micros, random_id};
use crate::exposed;
use crate::guard::{Guarded, work};
use crate::handler::{authenticate, content_coding, key_refused, media_type, named, session, stopped};
use crate::headers;
use crate::memory::Lease;
use crate::open::Ticket;
use crate::policy::Policy;
use crate::refused::{Refused, Why};
use crate::seen::seen;
use crate::socket::FaultCell;
use hyper::body::Incoming as HyperBody;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use obelus_audit::{
    Actor, Arguments, Call as CallRecord, Decision, ExposedKey, Kind, Outcome, Place, Record, Word,
};
use obelus_gate::{Approval, Connection, Operation, State, boundary};
use obelus_vault::{Holder, Scope};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The name of the route in metrics and records.
pub(super) const ROUTE: &str = "stripe";
/// What stands before Stripe's own paths where clients of all sorts connect.
const PREFIX: &str = "/stripe";
/// Headers of Stripe's that say what a call means.
const STRIPE_HEADERS: [&str; 3] = ["stripe-account", "stripe-context", "stripe-version"];
/// Bytes of such a header.
const HEADER_BYTES_MAX: usize = 255;

/// Where a client has connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Surface {
    /// Where clients of all sorts do.
    All,
    /// Where clients of Stripe's alone do: paths are Stripe's own.
    Stripe,
}

impl Surface {
    /// Whether a request is for the gate.
    pub(crate) fn is_gate(self, path: &str) -> bool {
        match self {
            Surface::Stripe => true,
            Surface::All => path.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('/')),
        }
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) key: String,
    pub(crate) workflow: String,
    pub(crate) tenant: String,
    pub(crate) session: String,
}

/// What is known of one call.
pub(super) struct Exchange {
    pub(super) core: Arc<Core>,
    pub(super) policy: Arc<Policy>,
    pub(super) request_id: Word,
    /// Of which trace it is a part.
    trace: Option<Word>,
    pub(super) actor: Option<Actor>,
    pub(super) call: CallRecord,
    pub(super) objects: Vec<Word>,
    /// Keys of somebody's that stood in the call.
    pub(super) exposed: Vec<ExposedKey>,
    pub(super) begin: Instant,
    /// Where the decision is recorded; absent once it is.
    place: Option<Place>,
}

impl Exchange {
    pub(super) fn record(&self, kind: Kind) -> Record {
        Record {
            request_id: Some(self.request_id.clone()),
            traceparent: self.trace.clone(),
            actor: self.actor.clone(),
            route: Some(obelus_audit::Route { upstream: Word::new("stripe"), name: ROUTE, model: None }),
            call: Some(Box::new(self.call.clone())),
            stripe_objects: self.objects.clone(),
            exposed: self.exposed.clone(),
            policy_version: Some(self.policy.version.clone()),
            duration_us: Some(micros(self.begin.elapsed())),
            ..Record::new(kind)
        }
    }

    /// Records the decision, unless that is done.
    fn decide(&mut self, record: &Record) {
        if let Some(place) = self.place.take() {
            place.put(record, SystemTime::now());
        }
    }

    /// Records that a read may leave; so that it outlives a loss of power, where a key is used for the first time since
    /// the start, or the configuration says so.
    pub(super) async fn allow_read(&mut self) -> Result<(), Refused> {
        let is_first = self.actor.as_ref().is_some_and(|actor| !self.core.is_in_use(&actor.key));
        if is_first || self.policy.config.durable_decisions {
            return self.allow_mutation().await;
        }
        let record = Record { decision: Some(Decision::Allow), ..self.record(Kind::Call) };
        self.decide(&record);
        Ok(())
    }

    /// Records that a call may leave that changes something, so that it outlives a loss of power.
    pub(super) async fn allow_mutation(&mut self) -> Result<(), Refused> {
        let record = Record { decision: Some(Decision::Allow), ..self.record(Kind::Call) };
        self.core.record(&record).await?;
        self.place = None;
        if let Some(actor) = &self.actor {
            self.core.note_use(&actor.key);
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, refused: &Refused) {
        self.core.metrics.refusal(refused.why);
        let record = Record {
            decision: Some(Decision::Refuse),
            reason: Some(refused.why.as_str()),
            status: Some(refused.status),
            ..self.record(Kind::Call)
        };
        self.decide(&record);
    }

    /// Notes what decided.
    pub(super) fn judged(&mut self, decision: &obelus_gate::Decision) {
        let rules = decision.judged.iter().flat_map(|judged| &judged.rules);
        self.call.rules = rules.filter_map(|rule| Word::new(&rule.id)).collect();
        self.call.rules.sort();
        self.call.rules.dedup();
        self.call.rules_version = Word::new(&decision.policy_version);
    }

    pub(super) fn approved(&mut self, approval: &Approval) {
        self.call.approval_id = Word::new(&approval.id);
        self.call.approval_digest = Word::new(&approval.digest.to_string());
    }
}

impl Drop for Exchange {
    /// The client went away before anything was decided.
    fn drop(&mut self) {
        if self.place.is_some() {
            let record = Record {
                decision: Some(Decision::Refuse),
                outcome: Some(Outcome::Cancelled),
                ..self.record(Kind::Call)
            };
            self.decide(&record);
        }
    }
}

/// Answers a call, or the fault of a request whose head could not be read.
pub(crate) async fn handle(
    core: Arc<Core>,
    request: Request<HyperBody>,
    fault: FaultCell,
    surface: Surface,
) -> Response<Answer> {
    let begun = async {
        let request_id = random_id()?;
        let place = core.reserve().await?;
        Ok::<_, Refused>(Exchange {
            policy: core.policy.load_full(),
            core: Arc::clone(&core),
            request_id,
            trace: None,
            actor: None,
            call: CallRecord::default(),
            objects: Vec::new(),
            exposed: Vec::new(),
            begin: Instant::now(),
            place: Some(place),
        })
    };
    let exchange = match begun.await {
        Ok(exchange) => exchange,
        Err(refused) => {
            core.metrics.refusal(refused.why);
            core.metrics.request(ROUTE, refused.status);
            return reply::refusal(&refused, "");
        }
    };
    let request_id = exchange.request_id.clone();
    let result = Guarded(Box::pin(steps(exchange, request, &fault, surface))).await;
    let response = match result {
        Ok(Ok(response)) => response,
        Ok(Err(refused)) => reply::refusal(&refused, request_id.as_str()),
        Err(panicked) => {
            core.metrics.panic();
            reply::refusal(&panicked.into(), request_id.as_str())
        }
    };
    core.metrics.request(ROUTE, response.status().as_u16());
    named(response, request_id.as_str())
}

async fn steps(
    mut exchange: Exchange,
    request: Request<HyperBody>,
    fault: &FaultCell,
    surface: Surface,
) -> Result<Response<Answer>, Refused> {
    let (head, body) = request.into_parts();
    let admitted = admit(&mut exchange, &head, body, fault, surface).await;
    match admitted {
        Ok(admitted) => judge(exchange, admitted).await,
        Err(refused) => {
            exchange.refuse(&refused);
            Err(refused)
        }
    }
}

/// A call that is understood.
struct Admitted {
    gate: Arc<Gate>,
    stores: Arc<GateStores>,
    access: Arc<Access>,
    caller: Caller,
    holder: Holder,
    ticket: Ticket,
    scope: Scope,
    incoming: Incoming,
    operation: Operation,
    masked: Value,
    lease: Lease,
    /// The key that the client has given its call.
    idempotency_key: Option<String>,
}

/// Who calls, and what it means.
async fn admit(
    exchange: &mut Exchange,
    head: &Parts,
    body: HyperBody,
    fault: &FaultCell,
    surface: Surface,
) -> Result<Admitted, Refused> {
    if let Some(fault) = fault.get().filter(|_| head.uri.path() == "*") {
        return Err(Refused::new(fault.status(), Why::Malformed, fault.to_string()).closing());
    }
    exchange.trace = headers::trace(&head.headers, &exchange.policy.reader);
    let core = Arc::clone(&exchange.core);
    let (holder, ticket, actor) = authenticate(&exchange.core, &head.headers)?;
    exchange.actor = actor;
    let (gate, stores) = (exchange.policy.gate.clone(), core.gate.clone());
    let (Some(gate), Some(stores)) = (gate, stores) else {
        return Err(Refused::new(404, Why::Route, "no gate is configured"));
    };
    let flow = exchange.policy.grant(&holder.workflow).map(|grant| grant.workflow.clone());
    let (Some(access), Some(flow)) = (gate.access(&holder.workflow).cloned(), flow) else {
        let message =
            "the workflow of this virtual key does not reach Stripe: gate.stripe.keys names those that do";
        return Err(Refused::new(403, Why::Forbidden, message));
    };
    core.rate.take(holder.id, &flow, SystemTime::now())?;
    let session = session(&flow, &head.headers)?.to_owned();
    let scope = core.vault.scope(&holder.tenant, &session);
    let path = match surface {
        Surface::Stripe => head.uri.path(),
        Surface::All => head.uri.path().strip_prefix(PREFIX).unwrap_or_default(),
    };
    let mut lease = core.memory.lease();
    let (media, body) = read_body(exchange, head, body, &mut lease).await?;
    let incoming = Incoming {
        method: head.method.as_str().to_owned(),
        path: path.to_owned(),
        query: head.uri.query().map(str::to_owned),
        media,
        content_type: header_text(&head.headers, &CONTENT_TYPE)?,
        headers: stripe_headers(exchange, &head.headers)?,
        body,
    };
    let idempotency_key = client_key(exchange, &head.headers)?;
    let (incoming, operation) = {
        let (gate, access, scope) = (Arc::clone(&gate), Arc::clone(&access), scope.clone());
        // Files are hashed.
        work(incoming.body.len(), move || understand(&gate, &access, incoming, &scope)).await??
    };
    exchange.call.operation = Word::new(&operation.operation);
    exchange.call.risk_class = Some(operation.risk_class.as_str());
    exchange.call.livemode = operation.livemode;
    exchange.call.account = operation.account.as_deref().and_then(Word::new);
    exchange.objects = operation.objects.iter().filter_map(|id| Word::new(id)).collect();
    let (masked, keys) = summary::masked(gate.catalogue, &operation, &access.documents, &scope)?;
    exchange.exposed = seen(&exchange.core, &keys, Some(&exchange.request_id));
    exchange.call.arguments = Some(Arguments::redacted(&masked));
    let operation = execute::looked_up(&access, operation, &incoming).await;
    exchange.call.amount_minor = operation.amount.known_minor();
    exchange.call.currency = operation.currency.and_then(|currency| Word::new(currency.as_str()));
    let caller = Caller {
        key: holder.id.as_str().to_owned(),
        workflow: holder.workflow.clone(),
        tenant: holder.tenant.clone(),
        session,
    };
    Ok(Admitted {
        gate,
        stores,
        access,
        caller,
        holder,
        ticket,
        scope,
        incoming,
        operation,
        masked,
        lease,
        idempotency_key,
    })
}

/// The body, whole and decoded. Virtual keys that stand in it are revoked.
async fn read_body(
    exchange: &Exchange,
    head: &Parts,
    body: HyperBody,
    lease: &mut Lease,
) -> Result<(Media, Vec<u8>), Refused> {
    let config = &exchange.policy.config;
    let bounds = Bounds { bytes_max: config.limits.body_bytes, idle: config.timeouts.body_idle };
    let coding = content_coding(&head.headers)?;
    let body = body::read(body, bounds, lease).await?;
    let body = decode(coding, body, config.limits.body_bytes, lease)?;
    let mut exposed = Vec::new();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let read = [target.as_bytes(), &body]
        .map(|text| exposed::revoke(&exchange.core.keys, text, SystemTime::now(), &mut exposed));
    exposed::stop(&exchange.core, &exposed);
    let base = Record { call: None, ..exchange.record(Kind::KeyExposed) };
    exposed::record(&exchange.core, exposed, &base).await?;
    read.into_iter().collect::<Result<Vec<()>, Refused>>()?;
    if body.is_empty() {
        return Ok((Media::Empty, body));
    }
    let content_type = headers::single(&head.headers, &CONTENT_TYPE)?;
    if content_type.and_then(|value| value.to_str().ok()).is_some_and(|text| boundary(text).is_some()) {
        return Ok((Media::Parts, body));
    }
    match content_type.and_then(media_type).as_deref() {
        Some("application/x-www-form-urlencoded") => Ok((Media::Form, body)),
        Some("application/json") => Ok((Media::Json, body)),
        _ => Err(Refused::new(
            415,
            Why::Unsupported,
            "the body must be application/x-www-form-urlencoded, application/json under /v2, or \
             multipart/form-data with its boundary at /v1/files, in UTF-8",
        )),
    }
}

/// What the call means, with values for the tokens that may become some.
fn understand(
    gate: &Gate,
    access: &Access,
    mut incoming: Incoming,
    scope: &Scope,
) -> Result<(Incoming, Operation), Refused> {
    let denied = |denied: obelus_gate::Denied| Refused::new(403, Why::Denied, format!("denied: {denied}"));
    let account = incoming.headers.iter().find(|(name, _)| name != "stripe-version");
    let account = account.map(|(_, value)| value.clone());
    let pinned = access.stripe.account.clone();
    if account.as_ref().zip(pinned.as_ref()).is_some_and(|(said, pinned)| said != pinned) {
        return Err(denied(obelus_gate::Denied::AccountMismatch));
    }
    let account = account.or(pinned);
    let connection = Connection { livemode: Some(access.livemode), account: account.as_deref() };
    let operation = incoming.operation(gate.catalogue, connection).map_err(denied)?;
    access.origin(gate.catalogue.entry(&operation.operation))?;
    let nothing = Vec::new();
    let allowed = access.stripe.restore.get(&operation.operation).unwrap_or(&nothing);
    let operation = match incoming.restore(allowed, scope)? {
        true => incoming.operation(gate.catalogue, connection).map_err(denied)?,
        false => operation,
    };
    Ok((incoming, operation))
}

/// The headers of Stripe's that say what a call means.
fn stripe_headers(exchange: &Exchange, headers: &HeaderMap) -> Result<Vec<(String, String)>, Refused> {
    let mut found = Vec::new();
    for name in STRIPE_HEADERS {
        let Some(text) = header_text(headers, &HeaderName::from_static(name))? else { continue };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/;=".contains(&byte);
        let is_clean = matches!(exchange.policy.reader.read(text.as_bytes()), Ok(None));
        if text.is_empty() || text.len() > HEADER_BYTES_MAX || !text.bytes().all(is_plain) || !is_clean {
            return Err(Refused::new(400, Why::Header, format!("{name} is not what Stripe takes there")));
        }
        found.push((name.to_owned(), text));
    }
    if found.iter().filter(|(name, _)| name != "stripe-version").count() > 1 {
        let message = "stripe-account and stripe-context name an account each: send one";
        return Err(Refused::new(400, Why::Header, message));
    }
    Ok(found)
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Refused> {
    let Some(value) = headers::single(headers, name)? else { return Ok(None) };
    let text = value.to_str().or(Err(Refused::new(400, Why::Header, format!("{name} is no plain text"))))?;
    Ok(Some(text.to_owned()))
}

/// The key that the client has given its call, which passes where no approval has its own.
fn client_key(exchange: &Exchange, headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(text) = header_text(headers, &HeaderName::from_static("idempotency-key"))? else {
        return Ok(None);
    };
    if Word::new(&text).is_none() || !matches!(exchange.policy.reader.read(text.as_bytes()), Ok(None)) {
        let message = "idempotency-key holds something personal or secret, or is none: leave it out";
        return Err(Refused::new(400, Why::Header, message));
    }
    Ok(Some(text))
}

/// Judges a call, and does what becomes of it.
async fn judge(mut exchange: Exchange, mut admitted: Admitted) -> Result<Response<Answer>, Refused> {
    let verdict = if admitted.operation.is_read() {
        Ok(Ok(judging(&admitted).read()))
    } else {
        let judged = work(usize::MAX, move || {
            let verdict = mutation(&admitted);
            (admitted, verdict)
        });
        match judged.await {
            Ok((back, verdict)) => {
                admitted = back;
                Ok(verdict)
            }
            Err(panicked) => return Err(refuse(&mut exchange, panicked.into())),
        }
    };
    let verdict = match verdict {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(refused)) | Err(refused) => return Err(refuse(&mut exchange, refused)),
    };
    match verdict {
        Verdict::Allowed { decision, counted } => {
            exchange.judged(&decision);
            execute(exchange, admitted, counted, None).await
        }
        Verdict::Denied { decision, refused } => {
            exchange.judged(&decision);
            Err(refuse(&mut exchange, refused))
        }
        Verdict::Waits { decision, approval } => {
            exchange.judged(&decision);
            waits(exchange, &admitted, &approval).await
        }
        Verdict::Attached(approval) => attached(exchange, admitted, approval).await,
    }
}

fn judging(admitted: &Admitted) -> Judging<'_> {
    Judging {
        gate: &admitted.gate,
        stores: &admitted.stores,
        caller: &admitted.caller,
        operation: &admitted.operation,
    }
}

/// Judges a call that changes something. Waits for the disk.
fn mutation(admitted: &Admitted) -> Result<Verdict, Refused> {
    let asked = Asked {
        method: &admitted.incoming.method,
        server: "stripe",
        arguments: &admitted.incoming.arguments(&admitted.operation),
        tool_hash: None,
        payload: &|| admitted.incoming.to_payload(),
        summary: &|decision| {
            let way = Way {
                mode: Some(admitted.access.livemode),
                key: Some(if admitted.access.is_secret_key { SECRET_KEY } else { RESTRICTED_KEY }),
                tool: None,
            };
            summary::summary(&admitted.operation, &admitted.masked, decision, &way)
        },
    };
    judging(admitted).mutation(&asked)
}

fn refuse(exchange: &mut Exchange, refused: Refused) -> Refused {
    exchange.refuse(&refused);
    refused
}

/// A call that waits is recorded before anybody is told. What cannot be recorded does not wait.
async fn waits(
    mut exchange: Exchange,
    admitted: &Admitted,
    approval: &Approval,
) -> Result<Response<Answer>, Refused> {
    exchange.approved(approval);
    let record = Record { decision: Some(Decision::Wait), ..exchange.record(Kind::ApprovalRequested) };
    let recorded = exchange.core.record(&record).await;
    if let Err(refused) = recorded {
        let (stores, id) = (Arc::clone(&admitted.stores), approval.id.clone());
        let voided = work(usize::MAX, move || {
            super::judge::void(&stores, &id, unix_seconds());
        });
        if voided.await.is_err() {
            exchange.core.metrics.panic();
        }
        return Err(refuse(&mut exchange, refused));
    }
    let record = Record { decision: Some(Decision::Wait), status: Some(202), ..exchange.record(Kind::Call) };
    exchange.decide(&record);
    exchange.core.tell(about("approval.waiting", approval));
    Ok(reply::waits(approval))
}

/// A call that was made before.
async fn attached(
    mut exchange: Exchange,
    admitted: Admitted,
    approval: Approval,
) -> Result<Response<Answer>, Refused> {
    exchange.approved(&approval);
    if let Some(refused) = ended(approval.state) {
        return Err(refuse(&mut exchange, refused));
    }
    match approval.state {
        State::Approved | State::Unknown => {
            let counted = Some(approval.id.clone());
            execute(exchange, admitted, counted, Some(approval)).await
        }
        State::Done => {
            let (stores, id) = (Arc::clone(&admitted.stores), approval.id.clone());
            let outcome = work(usize::MAX, move || stores.approvals.outcome(&id)).await;
            let recorded = match outcome {
                Ok(Ok(Some(recorded))) => recorded,
                Ok(Ok(None)) => {
                    let message = "the call was executed, and what came of it is no longer kept: look it up";
                    return Err(refuse(&mut exchange, Refused::new(409, Why::Denied, message)));
                }
                Ok(Err(error)) => return Err(refuse(&mut exchange, unkept(error))),
                Err(panicked) => return Err(refuse(&mut exchange, panicked.into())),
            };
            let record = Record {
                decision: Some(Decision::Refuse),
                reason: Some("executed-before"),
                status: Some(recorded.status),
                ..exchange.record(Kind::Call)
            };
            exchange.decide(&record);
            Ok(reply::outcome(recorded))
        }
        _ => {
            let record =
                Record { decision: Some(Decision::Wait), status: Some(202), ..exchange.record(Kind::Call) };
            exchange.decide(&record);
            Ok(reply::waits(&approval))
        }
    }
}

/// Hands the call to a task of its own: a client that goes away does not end what has begun.
async fn execute(
    exchange: Exchange,
    admitted: Admitted,
    counted: Option<String>,
    approval: Option<Approval>,
) -> Result<Response<Answer>, Refused> {
    let job = Job {
        exchange,
        gate: admitted.gate,
        stores: admitted.stores,
        access: admitted.access,
        caller: admitted.caller,
        holder: admitted.holder,
        ticket: admitted.ticket,
        scope: admitted.scope,
        incoming: admitted.incoming,
        operation: admitted.operation,
        lease: admitted.lease,
        idempotency_key: admitted.idempotency_key,
        counted,
        approval,
        answered: None,
    };
    match tokio::spawn(job.run()).await {
        Ok(result) => result,
        Err(_) => {
            Err(Refused::new(500, Why::Internal, "a fault of the sidecar: look up what came of the call"))
        }
    }
}

/// Whether the key of a call is still good.
pub(super) fn still_allowed(core: &Core, holder: &Holder, ticket: &mut Ticket) -> Result<(), Refused> {
    ticket.check().map_err(stopped)?;
    core.keys.recheck(&holder.id, SystemTime::now()).map(drop).map_err(|fault| key_refused(&fault))
}
