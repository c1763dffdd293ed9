//! Points in time as a store keeps them: milliseconds since 1970.

use std::time::{Duration, SystemTime};

/// What came before 1970 is taken as 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The moment of so many milliseconds; the farthest that can be told, if the system cannot tell it.
pub(crate) fn moment(millis: u64) -> SystemTime {
    let epoch = SystemTime::UNIX_EPOCH;
    let farthest = epoch + Duration::from_secs(u64::from(u32::MAX));
    epoch.checked_add(Duration::from_millis(millis)).unwrap_or(farthest)
}
