//! Stripe's events, fetched from Stripe.

use crate::failure::Failure;
use crate::report;
use obelus_audit::Utc;
use obelus_proxy::{Config, EventPeriod, FetchError, STRIPE_EVENTS_KEPT, stripe_events};
use obelus_reconcile::{Event, ReadError, Settings, read_events};
use std::env;
use std::time::SystemTime;

/// Microseconds of a second.
const SECOND: u64 = 1_000_000;

/// The period that is asked for. What begins before Stripe's list does begins with it, and that is said.
pub(crate) fn period(settings: &mut Settings) -> EventPeriod {
    let first =
        Utc::from(SystemTime::now().checked_sub(STRIPE_EVENTS_KEPT).unwrap_or(SystemTime::UNIX_EPOCH));
    if let Some(since) = settings.since.filter(|since| *since < first) {
        report::write_warning(&format!(
            "Stripe lists events of the last 30 days alone: nothing between {since} and {first} is judged; export them \
             continuously, and give the exports by --events"
        ));
        settings.since = Some(first);
    }
    EventPeriod {
        from: settings.since.map(|since| since.as_micros() / SECOND),
        before: settings.until.map(|until| until.as_micros().div_ceil(SECOND)),
    }
}

/// Hands on every event of the period.
pub(crate) fn read(
    config: &Config,
    period: EventPeriod,
    mut each: impl FnMut(&Event<'_>),
) -> Result<(), Failure> {
    let mut fault = None;
    let env = |name: &str| env::var_os(name);
    let fetched = stripe_events(config, &env, period, |page| {
        fault = read_events(page, &mut each).err();
        fault.is_none()
    });
    fetched.map_err(|error| match error {
        FetchError::Config(error) => Failure::config(&error),
        other => Failure::data(other.to_string()),
    })?;
    match fault {
        None => Ok(()),
        Some(ReadError::NoEvent(_)) => Err(Failure::data(
            "Stripe's list of events holds something that is no event: check gate.stripe.url",
        )),
        Some(other) => Err(Failure::data(format!("Stripe's list of events: {other}"))),
    }
}
