//! What is looked at, why it matters and how to mend it.

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// To be known.
    Note,
    /// It weakens a promise.
    Warning,
    /// It breaks one.
    Error,
}

impl Severity {
    /// The word, as SARIF has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// What a check is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// Credentials of Stripe and of providers.
    Credentials,
    /// Tools of agents.
    Tools,
    /// Where requests go.
    Routing,
    /// Virtual keys.
    Keys,
    /// How traffic is read.
    Guardrails,
    /// Records.
    Evidence,
}

impl Part {
    /// All parts.
    pub const ALL: [Part; 6] =
        [Part::Credentials, Part::Tools, Part::Routing, Part::Keys, Part::Guardrails, Part::Evidence];

    /// The word with which ids of its checks begin.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Credentials => "credentials",
            Part::Tools => "tools",
            Part::Routing => "routing",
            Part::Keys => "keys",
            Part::Guardrails => "guardrails",
            Part::Evidence => "evidence",
        }
    }
}

/// One thing that is looked at.
#[derive(Debug, Eq, PartialEq)]
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// What it is about.
    pub part: Part,
    /// How bad it is if it does not hold.
    pub severity: Severity,
    /// What does not hold then.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to do.
    pub mend: &'static str,
}

const fn check(
    id: &'static str,
    part: Part,
    severity: Severity,
    [title, why, mend]: [&'static str; 3],
) -> Check {
    Check { id, part, severity, title, why, mend }
}

use Part::{Credentials, Evidence, Guardrails, Keys, Routing, Tools};
use Severity::{Error, Note, Warning};

/// Everything that is looked at.
pub const CHECKS: &[Check] = &[
    check(
        "credentials/none",
        Credentials,
        Note,
        [
            "No credential of Stripe's is configured",
            "What agents do at Stripe by keys of their own does not pass here and is not recorded here",
            "Give agents no key of Stripe's; let a gateway hold one restricted key for each workflow",
        ],
    ),
    check(
        "credentials/stripe-in-environment",
        Credentials,
        Error,
        [
            "A key of Stripe's is in the environment of the sidecar",
            "The sidecar needs none there, and every process that it starts and whoever reads its environment has it",
            "Take the variable out of the environment, and roll the key if anybody else could read it",
        ],
    ),
    check(
        "credentials/stripe-key-of-provider",
        Credentials,
        Error,
        [
            "The key for a model provider is a key of Stripe's",
            "It is sent to the provider with every request",
            "Put the provider's key there, and roll the key of Stripe's at once",
        ],
    ),
    check(
        "credentials/stripe-not-restricted",
        Credentials,
        Error,
        [
            "The gate reaches Stripe with a key that can do everything",
            "Where the gate or its rules are wrong, nothing else holds a call back",
            "Make a restricted key (rk_) with the permissions that the workflow needs, and roll this one",
        ],
    ),
    check(
        "credentials/stripe-shared",
        Credentials,
        Warning,
        [
            "Several workflows reach Stripe with one key",
            "Each has the permissions of all, and Stripe's log cannot tell them apart",
            "Make a restricted key for each workflow",
        ],
    ),
    check(
        "credentials/readable",
        Credentials,
        Error,
        [
            "Others than its owner may read or change a file with a key",
            "Whoever has an account on the machine has the key",
            "chmod 600 FILE, and a new key if somebody else could read it",
        ],
    ),
    check(
        "credentials/old",
        Credentials,
        Warning,
        [
            "A key has not been changed for more than 90 days",
            "A key that leaked unnoticed is of use for as long as it lives",
            "Make a new key at the provider, put it there, and end the old one",
        ],
    ),
    check(
        "credentials/missing",
        Credentials,
        Warning,
        [
            "An upstream has no key",
            "Its requests are refused",
            "Set the variable or write the file, or take the upstream out of the configuration",
        ],
    ),
    check(
        "credentials/shared",
        Credentials,
        Note,
        [
            "Several workflows use one key of a provider",
            "The provider cannot tell them apart, and one cannot be cut off without the others",
            "Make an upstream with a key of its own for each workflow",
        ],
    ),
    check(
        "credentials/vault-key-beside-state",
        Credentials,
        Warning,
        [
            "The vault's key lies beside the values that it seals",
            "Whoever copies the folder has both: then the seal protects nothing",
            "Name another place in `vault_key`, such as a variable that a secret manager sets",
        ],
    ),
    check(
        "tools/none",
        Tools,
        Note,
        [
            "No tool server is configured",
            "Tools that agents call by themselves are neither judged nor recorded here",
            "Route the tools of payment work through a gateway that judges them",
        ],
    ),
    check(
        "tools/no-approver",
        Tools,
        Warning,
        [
            "Nobody may decide about calls that wait",
            "Every call that needs approval is denied",
            "Name people in `gate.approvers`; `obelus approvals token NAME` makes their tokens",
        ],
    ),
    check(
        "tools/open",
        Tools,
        Note,
        [
            "Tools that change something are open to a workflow",
            "Each of them is something that a misled model can ask for",
            "Leave tools out of `tools` that the workflow does not need, or name it in `workflows` no more",
        ],
    ),
    check(
        "tools/unattended",
        Tools,
        Warning,
        [
            "Tools that change something go out without a person",
            "What a misled model asks for happens before anybody has seen it",
            "Give them a class that waits for people, or a rule with `@approval`; see `obelus policy explain`",
        ],
    ),
    check(
        "tools/no-rule",
        Tools,
        Note,
        [
            "No rule permits tools that the configuration names",
            "Every call of them is denied, which agents try again and people take for a fault",
            "Write a rule for their class, or leave them out of `tools`",
        ],
    ),
    check(
        "tools/unpinned",
        Tools,
        Warning,
        [
            "Tools whose definition has changed are still called",
            "A server can change what a tool says of itself after people have looked at it",
            "Leave `on_change` out: then a changed tool is neither shown nor called",
        ],
    ),
    check(
        "tools/restored",
        Tools,
        Warning,
        [
            "Tokens become values again in all arguments of a tool",
            "A model that was misled can have any value of its session handed to the tool",
            "Name the places in `paths` that the tool needs, such as /customer/email",
        ],
    ),
    check(
        "routing/other-host",
        Routing,
        Note,
        [
            "An upstream is not the provider's own host",
            "Whoever runs that host sees what the provider would see",
            "Check that it is meant, and who runs it",
        ],
    ),
    check(
        "routing/authorities",
        Routing,
        Note,
        [
            "An upstream is vouched for by authorities of your own",
            "Whoever has the key of one of them can read the traffic",
            "Check that it is meant, and who has that key",
        ],
    ),
    check(
        "routing/hosted-tools",
        Routing,
        Error,
        [
            "A request with a tool server that the provider would call is let through",
            "The provider would call it with credentials and data that pass nobody here",
            "This is a fault of the program: report it",
        ],
    ),
    check(
        "routing/retention",
        Routing,
        Note,
        [
            "Whether the provider keeps requests is left to the client",
            "Nothing that the sidecar sends asks the provider to keep nothing; what it keeps holds tokens, not values",
            "Agree on it in the contract with the provider, or have clients send `store: false`",
        ],
    ),
    check(
        "keys/none",
        Keys,
        Note,
        [
            "There is no virtual key",
            "Nobody can use the sidecar, and nothing can be said of keys",
            "Make one for each agent: obelus keys create --workflow NAME --expires 90d",
        ],
    ),
    check(
        "keys/no-expiry",
        Keys,
        Warning,
        [
            "A virtual key never expires",
            "One that leaked unnoticed is of use for ever",
            "obelus keys rotate ID, or make one with --expires",
        ],
    ),
    check(
        "keys/old",
        Keys,
        Warning,
        [
            "A virtual key is older than 90 days",
            "The longer it lives the more places hold it",
            "obelus keys rotate ID --overlap 24h",
        ],
    ),
    check(
        "keys/unused",
        Keys,
        Warning,
        [
            "A virtual key has not been used for 30 days",
            "Nobody would notice if somebody else used it",
            "obelus keys revoke ID",
        ],
    ),
    check(
        "keys/no-workflow",
        Keys,
        Warning,
        [
            "A virtual key is bound to a workflow that does not exist",
            "It does nothing now, and becomes valid if somebody makes a workflow of that name",
            "obelus keys revoke ID",
        ],
    ),
    check(
        "guardrails/canary",
        Guardrails,
        Error,
        [
            "A planted card number or key comes out of a lane, or the test is refused there",
            "What is planted stands for what is real; the sidecar does not start like this",
            "Check the rule files of the profile",
        ],
    ),
    check(
        "guardrails/no-loopback",
        Guardrails,
        Error,
        [
            "A listener can be reached from other machines",
            "Virtual keys and values travel there without encryption",
            "Listen on 127.0.0.1 and let something before it encrypt",
        ],
    ),
    check(
        "guardrails/media",
        Guardrails,
        Warning,
        ["Media that are not read pass", "A picture of a card passes as it is", "media: block"],
    ),
    check(
        "guardrails/level",
        Guardrails,
        Warning,
        [
            "Only findings are acted on that hardly come about by chance",
            "Names, addresses and much else passes",
            "level: likely",
        ],
    ),
    check(
        "guardrails/mask",
        Guardrails,
        Warning,
        [
            "A part of each value is shown to the provider",
            "Several parts together can say who somebody is",
            "transform: token, or label",
        ],
    ),
    check(
        "guardrails/balanced",
        Guardrails,
        Note,
        [
            "Card brand, last four digits, expiry, country and names of merchants stay",
            "Support work needs them; the provider sees them",
            "profile: strict, where it is not needed",
        ],
    ),
    check(
        "guardrails/allow",
        Guardrails,
        Note,
        [
            "An allow-list lets findings stay",
            "What it names reaches the provider",
            "Read its reasons again from time to time",
        ],
    ),
    check(
        "guardrails/session",
        Guardrails,
        Note,
        [
            "All requests of a tenant are one session",
            "A token of one conversation can be turned back in another of the same tenant",
            "Name a header that tells conversations apart: session_header",
        ],
    ),
    check(
        "guardrails/breadth",
        Guardrails,
        Note,
        [
            "A workflow allows every route and every model",
            "A stolen key of it is of use for everything",
            "Name routes and models",
        ],
    ),
    check(
        "guardrails/no-day-limit",
        Guardrails,
        Note,
        ["A workflow has no limit for a day", "A stolen key of it is of use all day", "requests_per_day"],
    ),
    check(
        "evidence/none",
        Evidence,
        Note,
        ["There are no records yet", "Nothing can be said of them", "Start the sidecar"],
    ),
    check(
        "evidence/chain",
        Evidence,
        Error,
        [
            "The records are not those that were written",
            "Somebody has changed, taken out, put in or moved some",
            "obelus audit verify; keep the files as they are",
        ],
    ),
    check(
        "evidence/no-copies",
        Evidence,
        Warning,
        [
            "Checkpoints are kept nowhere but beside the records",
            "Whoever can write the records can cut off their end, or write them anew, and nothing shows it",
            "Name a folder elsewhere in audit.checkpoints, and keep audit.pub elsewhere",
        ],
    ),
    check(
        "evidence/copies-behind",
        Evidence,
        Warning,
        [
            "The checkpoints kept elsewhere do not cover the last records",
            "Those could be cut off, and nothing would show it",
            "Look whether the folder of copies can be written; the sidecar's log says why not",
        ],
    ),
    check(
        "evidence/collector-behind",
        Evidence,
        Warning,
        [
            "The collector of logs has not taken the last records",
            "They are in one place only, and whoever watches the collector does not see them",
            "Look whether the collector can be reached; the sidecar's log says why not",
        ],
    ),
    check(
        "evidence/key-beside",
        Evidence,
        Warning,
        [
            "The key that signs checkpoints lies beside the records",
            "Whoever can write both can sign records written anew",
            "Name another place in audit.key_file, and keep checkpoints elsewhere",
        ],
    ),
    check(
        "evidence/clock",
        Evidence,
        Warning,
        [
            "The newest record is of later than now",
            "Times of records and events cannot be compared when the clock is wrong",
            "Have the clock set by a time server",
        ],
    ),
    check(
        "evidence/retention",
        Evidence,
        Note,
        [
            "Nothing takes old records away, and nothing keeps them elsewhere",
            "The disk fills up; a lost disk loses all of them",
            "Name a folder for finished files in audit.ship, and take away what is older than you must keep it",
        ],
    ),
    check(
        "evidence/not-reconciled",
        Evidence,
        Note,
        [
            "Records were never paired with Stripe's events",
            "Nobody knows whether something went around the gateway",
            "Run obelus audit reconcile -c FILE --events EXPORT regularly",
        ],
    ),
    check(
        "evidence/reconciled-long-ago",
        Evidence,
        Warning,
        [
            "Records were last paired with Stripe's events more than 7 days ago",
            "Stripe keeps events for thirty days; what is not paired by then never can be",
            "Run obelus audit reconcile -c FILE --events EXPORT regularly",
        ],
    ),
    check(
        "evidence/reconciled-fault",
        Evidence,
        Error,
        [
            "Records and Stripe's events contradicted each other when they were last paired",
            "Something went around the gateway, or did not happen as it was recorded",
            "obelus audit reconcile names what; look into it",
        ],
    ),
];
