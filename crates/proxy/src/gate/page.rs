//! Where people decide in a browser: pages without scripts, without anything from elsewhere.

use super::desk::{self, Act, Refusal, blocking, shown};
use super::form;
use super::session::{SESSION_SECONDS, Session, random};
use super::{Gate, GateStores, token, unix_seconds};
use crate::core::Core;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HeaderValue, LOCATION, SET_COOKIE,
};
use hyper::{Method, Request, Response, StatusCode};
use obelus_gate::{Digest, visible};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The name of the cookie.
const COOKIE_NAME: &str = "obelus_approver";
/// Bytes of the body of a form.
const BODY_BYTES_MAX: usize = 4096;
/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";
/// How the pages look.
const STYLE: &str = "*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;\
    padding:0 1rem;color:#1b1f24;background:#fff}a{color:#0b57b7}h1{font-size:1.1rem;margin:0 0 2rem}\
    h1 a{color:inherit;text-decoration:none}h2{margin:0}h3{font-size:.95rem;color:#5c6670;margin:2rem 0 .3rem}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;\
    border-bottom:1px solid #d6dade}th{font-weight:600}.sheet td{overflow-wrap:anywhere}.sheet th{width:14rem}\
    .list{white-space:nowrap}.amount{font-size:2rem;margin:.2rem 0}.mode{font-size:.85rem;padding:.1rem .6rem;\
    border-radius:1rem;vertical-align:middle;background:#e7ebef}.live{color:#fff;background:#a40000;font-weight:600}\
    .state{color:#5c6670;margin:0}.bar{margin-top:2rem}button{font:inherit;padding:.5rem 1.4rem;margin-right:1rem;\
    border-radius:.4rem;border:1px solid #0b57b7;background:#0b57b7;color:#fff;cursor:pointer}\
    .no{border-color:#a40000;color:#a40000;background:#fff}form{display:inline}input{font:inherit;padding:.4rem .6rem}\
    code{font-size:.95em}@media(max-width:40rem){.sheet th{width:8rem}body{overflow-x:auto}}";

/// Whether a request comes from a browser that shows a page.
pub(super) fn is_wanted(request: &Request<Incoming>) -> bool {
    let holds = |name, text| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains(text))
    };
    let is_form = request.method() == Method::POST && holds(CONTENT_TYPE, FORM);
    let is_page = request.method() == Method::GET && holds(ACCEPT, "text/html");
    !request.headers().contains_key(AUTHORIZATION) && (is_form || is_page)
}

/// What a browser gets.
enum Page {
    Html(StatusCode, String),
    /// Go there, with a cookie if a session begins.
    Moved(String, Option<String>),
}

/// Answers a browser. Where it is and where it comes from was looked at before.
pub(super) async fn answer(request: Request<Incoming>, core: &Arc<Core>) -> Response<Full<Bytes>> {
    let page = match turned(request, core).await {
        Ok(page) => page,
        Err((status, message)) => Page::Html(status, format!("<p>{}</p>", escaped(&message))),
    };
    let Ok(nonce) = random() else {
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let (status, body, location, cookie) = match page {
        Page::Html(status, body) => (status, document(&body, &nonce), None, None),
        Page::Moved(location, cookie) => (StatusCode::SEE_OTHER, String::new(), Some(location), cookie),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    // Without any, browsers would not say that a form comes from here.
    headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
    let more =
        [(hyper::header::CONTENT_SECURITY_POLICY, Some(policy)), (LOCATION, location), (SET_COOKIE, cookie)];
    for (name, text) in more {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

async fn turned(request: Request<Incoming>, core: &Arc<Core>) -> Result<Page, Refusal> {
    let policy = core.policy.load_full();
    let (Some(gate), Some(stores)) = (policy.gate.clone(), core.gate.clone()) else {
        return Err((StatusCode::NOT_FOUND, "no gate is configured".to_owned()));
    };
    let path = request.uri().path().to_owned();
    let steps: Vec<&str> = path.split('/').skip(2).collect();
    if (request.method(), steps.as_slice()) == (&Method::POST, &["session"]) {
        return begin(request, &gate, &stores).await;
    }
    let cookie = cookie(&request);
    let session = cookie.and_then(|cookie| stores.sessions.of(&gate, &cookie, unix_seconds()));
    let Some(session) = session else { return Ok(Page::Html(StatusCode::UNAUTHORIZED, entrance())) };
    match (request.method(), steps.as_slice()) {
        (&Method::GET, []) => {
            let listed = blocking(move || stores.approvals.list(false, unix_seconds())).await?;
            Ok(Page::Html(StatusCode::OK, overview(&listed.iter().map(shown).collect::<Vec<_>>())))
        }
        (&Method::GET, [id]) => {
            let id = (*id).to_owned();
            let approval = blocking(move || stores.approvals.show(&id, unix_seconds())).await?;
            Ok(Page::Html(StatusCode::OK, sheet(&shown(&approval), &session)))
        }
        (&Method::POST, [id, segment]) => {
            let (id, act) = ((*id).to_owned(), Act::of(segment).ok_or_else(no_page)?);
            let fields = fields(request).await?;
            if field(&fields, "form_key") != session.form_key {
                let message = "the form is not one of this session: look at the approval again";
                return Err((StatusCode::FORBIDDEN, message.to_owned()));
            }
            let digest = Digest::parse(&field(&fields, "digest"))
                .ok_or((StatusCode::BAD_REQUEST, "the form holds no digest".to_owned()))?;
            let to = format!("/approvals/{id}");
            desk::decide(core, &gate, &stores, id, (session.approver, act), digest).await?;
            Ok(Page::Moved(to, None))
        }
        _ => Err(no_page()),
    }
}

fn no_page() -> Refusal {
    (StatusCode::NOT_FOUND, "there is no such page".to_owned())
}

/// Begins a session for whoever has a token.
async fn begin(request: Request<Incoming>, gate: &Gate, stores: &GateStores) -> Result<Page, Refusal> {
    let fields = fields(request).await?;
    let presented = token::digest(field(&fields, "token").trim().as_bytes());
    let begun = presented.map(|token| stores.sessions.begin(gate, token, unix_seconds()));
    match begun {
        Some(Ok(Some(cookie))) => {
            let cookie = format!(
                "{COOKIE_NAME}={cookie}; HttpOnly; SameSite=Strict; Path=/approvals; Max-Age={SESSION_SECONDS}"
            );
            Ok(Page::Moved("/approvals".to_owned(), Some(cookie)))
        }
        Some(Err(error)) => {
            tracing::error!(%error, "approvals");
            Err((StatusCode::SERVICE_UNAVAILABLE, "no session can begin: try again".to_owned()))
        }
        _ => Ok(Page::Html(
            StatusCode::UNAUTHORIZED,
            format!("<p>No approver has this token.</p>{}", entrance()),
        )),
    }
}

/// What the browser holds of a session.
fn cookie(request: &Request<Incoming>) -> Option<String> {
    let cookies = request.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then(|| value.to_owned())
    })
}

/// The fields of a form.
async fn fields(request: Request<Incoming>) -> Result<Vec<(String, String)>, Refusal> {
    let malformed = || (StatusCode::BAD_REQUEST, "the form cannot be read".to_owned());
    let reading = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let read = tokio::time::timeout(Duration::from_secs(5), reading).await;
    let body = read.map_err(|_slow| malformed())?.map_err(|_broken| malformed())?.to_bytes();
    let text = std::str::from_utf8(&body).map_err(|_invalid| malformed())?;
    let pairs = form::pairs(text).ok_or_else(malformed)?;
    Ok(pairs.into_iter().map(|pair| (pair.name, pair.value)).collect())
}

fn field(fields: &[(String, String)], name: &str) -> String {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn document(body: &str, nonce: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Approvals</title><style nonce=\"{nonce}\">{STYLE}</style></head><body>\
         <h1><a href=\"/approvals\">Obelus &middot; approvals</a></h1>{body}</body></html>"
    )
}

/// Asks for a token.
fn entrance() -> String {
    "<form method=\"post\" action=\"/approvals/session\"><label>Token of an approver <input type=\"password\" \
     name=\"token\" autocomplete=\"off\" required></label> <button>Enter</button></form>"
        .to_owned()
}

/// What waits. The page is asked for again by itself.
fn overview(approvals: &[Value]) -> String {
    if approvals.is_empty() {
        return "<meta http-equiv=\"refresh\" content=\"5\"><p>No call waits.</p>".to_owned();
    }
    let rows: String = approvals
        .iter()
        .map(|approval| {
            let id = text(approval, "id");
            let summary = approval.get("summary").unwrap_or(&Value::Null);
            format!(
                "<tr><td><a href=\"/approvals/{id}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                 <td>{}</td></tr>",
                text(approval, "operation"),
                text(summary, "amount"),
                mode(summary),
                text(summary, "customer"),
                text(approval, "workflow"),
                text(approval, "state"),
                moment(&text(approval, "expires")),
            )
        })
        .collect();
    let names = ["operation", "amount", "mode", "customer", "workflow", "state", "waits until"];
    let head: String = names.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!("<meta http-equiv=\"refresh\" content=\"5\"><table class=\"list\"><tr>{head}</tr>{rows}</table>")
}

/// Everything that may be seen of one call, and what can be done about it.
fn sheet(approval: &Value, session: &Session) -> String {
    let summary = approval.get("summary").unwrap_or(&Value::Null);
    let call =
        ["consequences", "reasons", "tool", "customer", "account", "key", "risk_class", "objects", "facts"];
    let call: String = call.iter().map(|name| row(&name.replace('_', " "), &text(summary, name))).collect();
    let mut arguments = Vec::new();
    leaves(summary.get("arguments").unwrap_or(&Value::Null), "", &mut arguments);
    let arguments: String = arguments
        .iter()
        .map(|(path, value)| row(path, &format!("<code>{}</code>", escaped(value))))
        .collect();
    let who = ["requester", "workflow", "method", "server"].map(|name| row(name, &text(approval, name)));
    let times = ["created", "expires"].map(|name| row(name, &moment(&text(approval, name))));
    let rest = ["approvers_needed", "votes", "status", "digest"];
    let rest = rest.map(|name| row(&name.replace('_', " "), &text(approval, name)));
    let head = format!(
        "<h2>{}</h2><p class=\"amount\">{} {}</p><p class=\"state\">{}</p>",
        text(approval, "operation"),
        text(summary, "amount"),
        mode(summary),
        text(approval, "state"),
    );
    let button = |act: Act, class: &str, label: &str| {
        format!(
            "<form method=\"post\" action=\"/approvals/{}/{}\"><input type=\"hidden\" name=\"form_key\" \
             value=\"{}\"><input type=\"hidden\" name=\"digest\" value=\"{}\"><button class=\"{class}\">{label}</button></form>",
            text(approval, "id"),
            act.as_str(),
            escaped(&session.form_key),
            text(approval, "digest"),
        )
    };
    let bar = |yes: String, no: String| format!("<p class=\"bar\">{yes}{no}</p>");
    let buttons = match text(approval, "state").as_str() {
        "pending" | "approved" => {
            bar(button(Act::Approve, "yes", "approve"), button(Act::Deny, "no", "deny"))
        }
        "unknown" => {
            let lead = "<p>It was sent, and nobody knows what came of it. Look it up at the server, then say so.</p>";
            let yes = button(Act::Happened, "yes", "it happened");
            lead.to_owned() + &bar(yes, button(Act::NotHappened, "no", "it did not happen"))
        }
        _ => String::new(),
    };
    let section = |name: &str, rows: &str| match rows {
        "" => String::new(),
        rows => format!("<h3>{name}</h3><table class=\"sheet\">{rows}</table>"),
    };
    let who = who.concat() + &times.concat() + &rest.concat();
    let sections =
        [section("the call", &call), section("arguments", &arguments), section("who and when", &who)];
    format!("{head}{}{buttons}", sections.concat())
}

/// A row of a table, if there is something to say. The text is markup.
fn row(name: &str, text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("<tr><th>{}</th><td>{text}</td></tr>", escaped(name))
    }
}

/// Whether it is about real money, as people must not overlook.
fn mode(summary: &Value) -> String {
    let mode = text(summary, "mode");
    if mode.is_empty() { mode } else { format!("<span class=\"mode {mode}\">{mode} mode</span>") }
}

/// A time to the second, as people read it.
fn moment(time: &str) -> String {
    time.get(..19).map_or_else(String::new, |time| format!("{} UTC", time.replace('T', " ")))
}

/// Every argument with its path.
fn leaves(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(member, &path, out);
            }
        }
        Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                leaves(element, &format!("{path}[{at}]"), out);
            }
        }
        Value::Null => {}
        Value::String(text) => out.push((path.to_owned(), text.clone())),
        other => out.push((path.to_owned(), other.to_string())),
    }
}

/// A member as text of a page.
fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => escaped(text),
        Some(Value::Array(elements)) => {
            let texts =
                elements.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
            escaped(&texts.collect::<Vec<_>>().join("; "))
        }
        Some(Value::Null) | None => String::new(),
        Some(other) => escaped(&other.to_string()),
    }
}

/// Text with nothing in it that is markup, or that nobody sees.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in visible(text).chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(escaped("<b a='1'>\u{202e}&\""), "&lt;b a=&#39;1&#39;&gt;\\u202e&amp;&quot;");
    }
}
