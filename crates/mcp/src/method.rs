//! The methods of the protocol, of revisions 2025-06-18, 2025-11-25 and 2026-07-28. Others go no further.

/// What a client may ask of a server. Not `tasks/update`: it says more of a call that was judged, and nobody would judge that.
const OF_CLIENT: [&str; 19] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tools/call",
    "tools/list",
];

/// What a server may ask of a client.
const OF_SERVER: [&str; 8] = [
    "elicitation/create",
    "ping",
    "roots/list",
    "sampling/createMessage",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
];

/// What a client tells a server. What servers tell clients passes, whatever it is called: it is read, and does nothing.
const TOLD: [&str; 5] = [
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
];

fn one_of(known: &[&'static str], method: &str) -> Option<&'static str> {
    known.iter().find(|known| **known == method).copied()
}

/// The request of a client of that name.
pub(crate) fn of_client(method: &str) -> Option<&'static str> {
    one_of(&OF_CLIENT, method)
}

/// The request of a server of that name.
pub(crate) fn of_server(method: &str) -> Option<&'static str> {
    one_of(&OF_SERVER, method)
}

/// Whether a client may say that.
pub(crate) fn may_tell(method: &str) -> bool {
    TOLD.contains(&method)
}

/// The revision without `initialize`, in which each request says what it is of.
pub(crate) const MODERN: &str = "2026-07-28";

/// The revisions that a server may choose in its answer to `initialize`. The two oldest have nothing that later ones do
/// not have, but for batches, which are refused.
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// Whether messages of that revision are understood once a server has chosen it.
pub(crate) fn is_legacy(revision: &str) -> bool {
    LEGACY.contains(&revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_compared_letter_by_letter() {
        assert_eq!(of_client("tools/call"), Some("tools/call"));
        assert_eq!(of_client("Tools/call"), None);
        assert_eq!(of_client("sampling/createMessage"), None);
        assert_eq!(of_client("tasks/update"), None);
        assert_eq!(of_server("tools/call"), None);
        assert!(may_tell("notifications/initialized") && !may_tell("notifications/execute"));
        assert!(is_legacy("2025-11-25") && !is_legacy(MODERN));
    }
}
