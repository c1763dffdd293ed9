//! Stripe's own events, asked for with a key that reads events and nothing else.

use crate::body::{self, Bounds};
use crate::config::{Config, ConfigError, Env};
use crate::gate::{StripeKey, bearer};
use crate::memory::Memory;
use crate::policy::{authorities, secret};
use crate::upstream::{Client, Outgoing};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use tokio::time::sleep;

/// How long Stripe lists an event.
pub const STRIPE_EVENTS_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Events of one page: the most that Stripe gives.
const PAGE_EVENTS: u32 = 100;
/// Bytes of one page. Events are some kilobytes long.
const PAGE_BYTES_MAX: usize = 64 << 20;
/// How often one page is asked for.
const TRIES_MAX: u32 = 6;
/// The first pause before a page is asked for again; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest that Stripe may make wait once.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Which events are asked for: those made from a second on (since 1970) and before another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EventPeriod {
    /// The first second.
    pub from: Option<u64>,
    /// The second that is no more of it.
    pub before: Option<u64>,
}

/// Why events were not fetched. Holds no key and nothing of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FetchError {
    /// The configuration must be changed.
    Config(ConfigError),
    /// Stripe was not reached, or answered otherwise than with events.
    Stripe(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Config(error) => error.fmt(f),
            FetchError::Stripe(what) => write!(f, "Stripe's events cannot be fetched: {what}"),
        }
    }
}

impl std::error::Error for FetchError {}

impl From<ConfigError> for FetchError {
    fn from(error: ConfigError) -> FetchError {
        FetchError::Config(error)
    }
}

fn stripe(what: impl Into<String>) -> FetchError {
    FetchError::Stripe(what.into())
}

/// Fetches the events of a period from the host that the configuration pins, the newest first, and hands on each page as
/// it came: a list in JSON. Ends early when `each` says so by returning false.
///
/// A page is asked for six times at most, when Stripe is busy (429), faulty (5xx) or not reached; before that there is
/// a pause, as long as Stripe says, of a minute at most. At most one page is in memory, of 64 MiB at most.
///
/// # Errors
/// A configuration without a key for this or with one that can do more, and what Stripe does not answer. What came
/// before has been handed on.
pub fn stripe_events(
    config: &Config,
    env: Env<'_>,
    period: EventPeriod,
    mut each: impl FnMut(&[u8]) -> bool,
) -> Result<(), FetchError> {
    let fetcher = Fetcher::new(config, env)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| stripe(format!("there are no threads: {}", error.kind())))?;
    runtime.block_on(async {
        let mut after: Option<String> = None;
        loop {
            let page = fetcher.page(&path(period, after.as_deref())).await?;
            let next = next(&page, after.as_deref())?;
            if !each(&page) {
                return Ok(());
            }
            match next {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    })
}

/// The path of the page that follows an event.
fn path(period: EventPeriod, after: Option<&str>) -> String {
    let mut path = format!("/v1/events?limit={PAGE_EVENTS}");
    if let Some(from) = period.from {
        path.push_str(&format!("&created[gte]={from}"));
    }
    if let Some(before) = period.before {
        path.push_str(&format!("&created[lt]={before}"));
    }
    if let Some(after) = after {
        path.push_str(&format!("&starting_after={after}"));
    }
    path
}

/// The id of the last event of a page, if another page follows.
fn next(page: &[u8], after: Option<&str>) -> Result<Option<String>, FetchError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        object: Cow<'a, str>,
        has_more: bool,
        #[serde(borrow)]
        data: Vec<Listed<'a>>,
    }
    #[derive(Deserialize)]
    struct Listed<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    let no_list = || stripe("the answer is no list of events: check gate.stripe.url");
    let list: List<'_> = serde_json::from_slice(page).map_err(|_quotes_it| no_list())?;
    if list.object != "list" {
        return Err(no_list());
    }
    if !list.has_more {
        return Ok(None);
    }
    let last = list.data.last().map(|listed| listed.id.as_ref());
    let is_id = |id: &&str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match last.filter(is_id).filter(|last| Some(*last) != after) {
        Some(last) => Ok(Some(last.to_owned())),
        None => Err(stripe("its list says that it goes on, and does not")),
    }
}

/// What a try came to.
enum Tried {
    Page(Vec<u8>),
    /// It can be tried again, after this pause if Stripe says one.
    Again(String, Option<Duration>),
}

struct Fetcher {
    client: Client,
    api: (hyper::http::uri::Scheme, hyper::http::uri::Authority),
    credential: HeaderValue,
    bounds: Bounds,
}

impl Fetcher {
    fn new(config: &Config, env: Env<'_>) -> Result<Fetcher, ConfigError> {
        let at = |what: &str| ConfigError::new(format!("gate.stripe.events_key: {what}"));
        let section = config.gate.as_ref().and_then(|gate| gate.stripe.as_ref());
        let section = section.ok_or_else(|| at("the configuration has no section gate.stripe"))?;
        let Some(source) = &section.events_key else {
            return Err(at(
                "name the place (`env` or `file`) of a restricted key (rk_) that reads events alone",
            ));
        };
        let key = secret(source, env)?.ok_or_else(|| at("there is no key: set the variable"))?;
        if StripeKey::of(&key, true).map_err(at)?.is_secret_key {
            return Err(at(
                "a secret key can do everything: make a restricted one (rk_) that reads events alone",
            ));
        }
        let trusted = section.ca_file.as_ref().map(|path| authorities("gate.stripe", path)).transpose()?;
        Ok(Fetcher {
            client: Client::new(&config.timeouts, trusted)?,
            api: section.api.clone(),
            credential: bearer(&key).ok_or_else(|| at("holds what no header can hold"))?,
            bounds: Bounds { bytes_max: PAGE_BYTES_MAX, idle: config.timeouts.stream_idle },
        })
    }

    async fn page(&self, path: &str) -> Result<Vec<u8>, FetchError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (why, wanted) = match self.once(path).await? {
                Tried::Page(page) => return Ok(page),
                Tried::Again(why, wanted) => (why, wanted),
            };
            if tries == TRIES_MAX {
                return Err(stripe(format!("{why}, {TRIES_MAX} times: try again later")));
            }
            sleep(pause(tries, wanted)).await;
        }
    }

    async fn once(&self, path: &str) -> Result<Tried, FetchError> {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(AUTHORIZATION, self.credential.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let outgoing = Outgoing { method: Method::GET, path: path.to_owned(), headers, body: Bytes::new() };
        let (scheme, authority) = &self.api;
        let response = match self.client.request((scheme, authority), outgoing).await {
            Ok(response) => response,
            Err(unanswered) => return Ok(Tried::Again(unanswered.refused.message.to_string(), None)),
        };
        match response.status().as_u16() {
            200 => self.read(response).await,
            401 => Err(stripe("it does not accept the key: set another at gate.stripe.events_key")),
            403 => {
                Err(stripe("the key of gate.stripe.events_key may not read events: let it, in the dashboard"))
            }
            status @ (429 | 500..) => {
                Ok(Tried::Again(format!("it answers with status {status}"), retry_after(response.headers())))
            }
            300..=399 => Err(stripe("it redirects, which is not followed: check gate.stripe.url")),
            status => Err(stripe(format!("it answers with status {status}"))),
        }
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Tried, FetchError> {
        if response.headers().get_all(CONTENT_ENCODING).iter().any(|value| value != "identity") {
            return Err(stripe("its answer is compressed, although that was not asked for"));
        }
        let memory = Memory::new(2 * PAGE_BYTES_MAX);
        let read = body::read(response.into_body(), self.bounds, &mut memory.lease()).await;
        Ok(read.map_or_else(|_| Tried::Again("its answer broke off".to_owned(), None), Tried::Page))
    }
}

/// How many seconds Stripe says that one must wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// How long to wait after so many tries.
fn pause(tries: u32, wanted: Option<Duration>) -> Duration {
    let own = PAUSE * 2_u32.pow(tries.clamp(1, 8) - 1);
    wanted.unwrap_or(own).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_followed_by_the_one_after_its_last_event() {
        let page = |more: bool, last: &str| {
            format!(
                r#"{{"object":"list","has_more":{more},"data":[{{"id":"evt_1","x":{{}}}},{{"id":"{last}"}}]}}"#
            )
        };
        assert_eq!(next(page(true, "evt_2").as_bytes(), Some("evt_1")), Ok(Some("evt_2".to_owned())));
        assert_eq!(next(page(false, "evt_2").as_bytes(), None), Ok(None));
        for (text, after) in [
            (page(true, "evt_2"), Some("evt_2")),
            (page(true, "evt_2&limit=1"), None),
            (r#"{"object":"list","has_more":true,"data":[]}"#.to_owned(), None),
            (page(true, "evt_2").replace("list", "jenny"), None),
            ("jenny".to_owned(), None),
        ] {
            let error = next(text.as_bytes(), after).unwrap_err().to_string();
            assert!(!error.contains("jenny") && !error.contains("evt_"), "{error}");
        }
        let period = EventPeriod { from: Some(5), before: Some(9) };
        assert_eq!(path(period, None), "/v1/events?limit=100&created[gte]=5&created[lt]=9");
        assert_eq!(path(EventPeriod::default(), Some("evt_1")), "/v1/events?limit=100&starting_after=evt_1");
    }

    #[test]
    fn pauses_grow_and_are_bounded_whatever_stripe_says() {
        let own: Vec<u128> = (1..TRIES_MAX).map(|tries| pause(tries, None).as_millis()).collect();
        assert_eq!(own, [500, 1000, 2000, 4000, 8000]);
        assert_eq!(pause(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(pause(1, Some(Duration::MAX)), PAUSE_MAX);
        let headers =
            |text: &str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
        assert_eq!(retry_after(&headers(" 3 ")), Some(Duration::from_secs(3)));
        assert_eq!(retry_after(&headers("-1")), None);
        assert_eq!(retry_after(&headers("Wed, 21 Oct 2015 07:28:00 GMT")), None);
    }
}
