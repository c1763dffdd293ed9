//! What can be said on the command line.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use obelus::{CarryOver, Category, Level, Profile};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Strikes customer and payment data out of JSON, text and forms.
///
/// Bytes that are not redacted come out unchanged. On an error nothing more leaves; what has left before is safe.
#[derive(Debug, Parser)]
#[command(name = "obelus", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 input or output error, 2 wrong usage or configuration, \
3 found something under --fail, or a check found a fault";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pass input on with findings replaced
    Redact(RedactArgs),
    /// Write findings only, one JSON object a line
    Scan(ScanArgs),
    /// Show what is found and why
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Stand between clients and model providers: the sidecar
    Serve(ConfigArgs),
    /// Stand between a client and a server of tools (MCP) that runs as a command
    Mcp(McpArgs),
    /// Make, list and end virtual keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Try the rules of the gate: which calls go out, wait for people, or go nowhere
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Decide about calls that wait for people, through the running sidecar
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Check and show the records of the sidecar
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Review how the sidecar is set up: credentials, tools, routing, virtual keys, guardrails, records
    Posture(PostureArgs),
    /// About the configuration of the sidecar
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show the sidecar at work, on loopback with a provider that is none: no account, no network
    Demo(DemoArgs),
    /// Write completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual page of the program or of one command
    Man {
        /// Which command; the whole program if none is given
        command: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct RedactArgs {
    /// Write to a file, which appears whole or not at all, or into a folder, each input under its own name
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) output: Option<PathBuf>,
    /// Write findings to a file, or to standard output with `-` if -o is given
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) findings: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flow: FlowArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ScanArgs {
    /// Write findings to a file instead of standard output
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) findings: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flow: FlowArgs,
}

/// What `redact` and `scan` share.
#[derive(Debug, clap::Args)]
pub(crate) struct FlowArgs {
    /// What to read; standard input if none is given, or for `-`
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// What the input is; auto decides by file name, then by the first bytes
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: FormatArg,
    /// What stands in place of a finding, unless a rule file says it for the category
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transform: TransformArg,
    /// Read the key of hashes from a file of at least 32 bytes, instead of from OBELUS_HASH_KEY
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) hash_key_file: Option<PathBuf>,
    /// Let findings stay that a list names by path, rule or hash, each with a reason; they are told as allowed
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) allow: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    /// Exit with 3 when anything was found that is not allowed
    #[arg(long)]
    pub(crate) fail: bool,
    /// When to draw progress on the terminal; auto means for files over 64 MiB
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t, default_missing_value = "always")]
    pub(crate) progress: When,
    /// How many threads read lines of a file; as many as the machine runs at once if nothing is said. The output is the
    /// same. Only NDJSON in regular files is divided; with 1, nothing is read ahead or written behind either
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) threads: Option<u16>,
}

/// Which rules act.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ChoiceArgs {
    /// Add a rule file; it wins over the built-in rules and over files named after it
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) rules: Vec<PathBuf>,
    /// Act on these categories only
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',', value_parser = categories(), hide_possible_values = true)]
    pub(crate) only: Vec<Category>,
    /// Do not act on these categories
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',', value_parser = categories(), hide_possible_values = true)]
    pub(crate) skip: Vec<Category>,
    /// Balanced lets last 4, expiry, country and merchant names stay; strict does not
    #[arg(long, value_enum, default_value_t)]
    pub(crate) profile: ProfileArg,
    /// Act on evidence of this level and above, unless a rule file says another for the category
    #[arg(long, value_enum, default_value_t)]
    pub(crate) level: LevelArg,
    /// Where a value shown under a sensitive name is hidden besides: nowhere, in what follows in the same document, or
    /// in the whole document, which is then held (32 MiB at most) and read twice. Plain text shows no names
    #[arg(long, value_enum, default_value_t)]
    pub(crate) carry_over: CarryOverArg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List every rule
    List {
        #[command(flatten)]
        choice: ChoiceArgs,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Tell all about one rule or the rules of a category, or which evidence decided about a value, without the value
    Explain {
        /// Id of a rule, as it stands in findings; a category; or the path of a value, as findings write it
        /// (/customer/email; /body#/email inside a string; "" for the whole document)
        #[arg(value_name = "RULE|CATEGORY|PATH")]
        what: String,
        /// Where the value stands; standard input if none is given, or for `-`. It is read into memory
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// What the file is; auto decides by file name, then by the first bytes
        #[arg(long, value_enum, default_value_t)]
        format: FormatArg,
        #[command(flatten)]
        choice: ChoiceArgs,
    },
    /// Check rule files, or the built-in rules
    Test {
        /// A rule file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

/// How the demonstration is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// One JSON object a step
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file, `obelus.yaml`; without one, everything has its default
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PostureArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// From which severity on a finding makes the exit code 3
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t)]
    pub(crate) fail_on: SeverityArg,
    /// One JSON object a line: each finding, and last the summary
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a SARIF file as well, for tools that show findings beside code
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sarif: Option<PathBuf>,
}

/// Values of `--fail-on`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SeverityArg {
    Note,
    Warning,
    #[default]
    Error,
}

/// Which server of tools, and the command that runs it.
///
/// The virtual key of whoever uses the tools is read from OBELUS_KEY. Where `obelus serve` runs with the same configuration,
/// it judges and records every message.
#[derive(Debug, clap::Args)]
pub(crate) struct McpArgs {
    /// The server, by its name under `mcp` in the configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The command that runs the server, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a virtual key and write it to standard output; it is shown this once
    Create {
        /// What the key may do: the name of a workflow of the configuration
        #[arg(long, value_name = "NAME", default_value = obelus_proxy::DEFAULT)]
        workflow: String,
        /// After how long the key is refused, such as 12h or 30d; never if nothing is said
        #[arg(long, value_name = "TIME", value_parser = crate::keys::duration)]
        expires: Option<Duration>,
        /// Who or what the key is for, as lists show it
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Whose values the key may turn tokens back into; its own if nothing is said
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// List virtual keys, without their secrets
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Make a key that takes the place of another and write it to standard output
    Rotate {
        /// The id of the key, as lists show it
        id: String,
        /// How long the old key is still accepted, such as 24h
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = crate::keys::duration)]
        overlap: Duration,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// End a key: it is refused from the next request on, and its open streams end
    Revoke {
        /// The id of the key, as lists show it
        id: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List calls that wait, and those of which nobody knows what came of them
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Show everything that may be seen of one call
    Show {
        /// The id of the approval
        id: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Let a call go out when it is repeated
    Approve {
        /// The id of the approval
        id: String,
        /// The digest that was shown, if it was shown before; otherwise what is approved is shown now
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Let a call not go out, which is final
    Deny {
        /// The id of the approval
        id: String,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Say that a call happened of which nobody knew what came of it, after looking it up
    Happened {
        /// The id of the approval
        id: String,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Say that it did not happen, so that the same call can be asked for anew
    NotHappened {
        /// The id of the approval
        id: String,
        #[command(flatten)]
        desk: DeskArgs,
    },
    /// Make the token of somebody who may decide: write it, which is shown this once, and on a second line what
    /// `gate.approvers` holds of it
    Token {
        /// Who it is for, as records will name them
        name: String,
    },
}

/// Where people decide, and as whom.
#[derive(Debug, clap::Args)]
pub(crate) struct DeskArgs {
    /// Read the token from a file, instead of from OBELUS_APPROVER_TOKEN
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// The admin listener of the running sidecar; what the configuration says if nothing is said
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check that calls get the outcome that fixtures name; exit with 3 if one does not
    Test {
        /// Files of fixtures (YAML or JSON); those of the shipped rules if none is given
        #[arg(value_name = "FIXTURES", value_hint = ValueHint::FilePath)]
        fixtures: Vec<PathBuf>,
        #[command(flatten)]
        rules: PolicyArgs,
    },
    /// Show what a call is to the gate, which rules decide, and what becomes of it
    Explain {
        #[command(flatten)]
        call: CallArgs,
        /// One JSON object
        #[arg(long, conflicts_with = "lint")]
        json: bool,
        /// Look for rules that decide nothing instead, and classes without a rule; exit with 3 if a rule decides nothing
        #[arg(long, conflicts_with = "call")]
        lint: bool,
        #[command(flatten)]
        rules: PolicyArgs,
    },
}

/// Which rules judge.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    /// A file of Cedar rules; several count together. The shipped rules if none is given
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Vec<PathBuf>,
    /// A file that gives the tools of servers other than Stripe's their classes: {SERVER: {TOOL: CLASS}}
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) servers: Option<PathBuf>,
}

/// A call to be explained.
#[derive(Debug, clap::Args)]
#[group(id = "call", multiple = true)]
pub(crate) struct CallArgs {
    /// The call as fixtures write it; standard input if neither --rest nor --tool is given, or for `-`
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["rest", "tool"])]
    pub(crate) file: Option<PathBuf>,
    /// Method and target of a REST call, such as "POST /v1/refunds"
    #[arg(long, value_name = "CALL", conflicts_with = "tool")]
    pub(crate) rest: Option<String>,
    /// The form in its body
    #[arg(long, value_name = "FORM", requires = "rest")]
    pub(crate) form: Option<String>,
    /// The tool of an MCP call
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// The tool's arguments, as JSON
    #[arg(long, value_name = "JSON", requires = "tool")]
    pub(crate) arguments: Option<String>,
    /// The server of the tool, if that is not Stripe's
    #[arg(long, value_name = "NAME", requires = "tool")]
    pub(crate) server: Option<String>,
    /// Whether the call is about real money; if nothing is said, it counts so
    #[arg(long, value_name = "BOOL")]
    pub(crate) livemode: Option<bool>,
    /// Who calls
    #[arg(long, value_name = "NAME")]
    pub(crate) workflow: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that records are those that were written, all of them, in their order; exit with 3 if not
    Verify(VerifyArgs),
    /// List records as a timeline with its gaps, and Stripe's events among them; records are not checked
    Show(ShowArgs),
    /// Pair records of calls with Stripe's own events; exit with 3 if they contradict each other
    Reconcile(ReconcileArgs),
    /// Sign with a new key from now on and write the public key to standard output; the sidecar must not be running
    RotateKey(ConfigArgs),
    /// Write the call that a record holds sealed, as it left, as JSON; the sidecar records who asks
    Unseal(UnsealArgs),
    /// Erase the keys of a customer: what records hold sealed under them can be read no more, and the chain still holds
    Erase(EraseArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct UnsealArgs {
    /// A file of records, or a folder of which every file that ends in .jsonl is one
    #[arg(value_name = "DIR|FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// The number of the record
    #[arg(long, value_name = "SEQ")]
    pub(crate) seq: u64,
    #[command(flatten)]
    pub(crate) desk: DeskArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EraseArgs {
    /// The id of the customer (cus_…), or of what a call named where no customer was known
    #[arg(long, value_name = "ID")]
    pub(crate) subject: String,
    #[command(flatten)]
    pub(crate) desk: DeskArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// A file of records, or a folder of which every file that ends in .jsonl is one
    #[arg(value_name = "DIR|FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// A file of checkpoints that was kept elsewhere: shows an end that was cut off and records that were written anew
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// A file with the public key (audit.pub) as it was kept elsewhere, which the records must name; otherwise the key counts
    /// that they name
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// The first record that must be here; older ones were taken away and are kept elsewhere
    #[arg(long, value_name = "SEQ", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: u64,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// When to draw progress on the terminal; auto means for more than 64 MiB
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t, default_missing_value = "always")]
    pub(crate) progress: When,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// A file of records, or a folder of which every file that ends in .jsonl is one
    #[arg(value_name = "DIR|FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Only records that name this Stripe object, and those of the requests and approvals that led to it
    #[arg(long, value_name = "ID")]
    pub(crate) object: Option<String>,
    /// Only records of this virtual key, by its id or whole
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Only records of this request, by its x-obelus-request-id
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// Only records since then: a time before now, such as 12h, or a moment in UTC, such as 2026-01-31T12:30:00Z
    #[arg(long, value_name = "TIME", value_parser = crate::timeline::since)]
    pub(crate) since: Option<String>,
    /// Stripe's events among them, those about what the records name: exports as `reconcile` takes them
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) events: Vec<PathBuf>,
    /// The records as they stand there; events and gaps as JSON as well
    #[arg(long)]
    pub(crate) json: bool,
    /// Write one page that shows the timeline, complete in itself, instead
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "json")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReconcileArgs {
    /// A file of records, or a folder of which every file that ends in .jsonl is one; without any, where the configuration
    /// has them
    #[arg(value_name = "DIR|FILE", value_hint = ValueHint::AnyPath, conflicts_with = "config")]
    pub(crate) paths: Vec<PathBuf>,
    /// Events as Stripe lists them: one a line, a list, or pages; snapshots or thin events; a folder of such files, or `-`
    #[arg(long, value_name = "PATH", required_unless_present = "fetch", value_hint = ValueHint::AnyPath)]
    pub(crate) events: Vec<PathBuf>,
    /// Fetch the events from Stripe, which lists those of 30 days, with the key that the configuration names at
    /// gate.stripe.events_key: a restricted one that reads events alone
    #[arg(long, conflicts_with = "paths")]
    pub(crate) fetch: bool,
    /// The events are complete from then on: a time before now, such as 30d, or a moment in UTC. Without it, from the first
    #[arg(long, value_name = "TIME", value_parser = crate::timeline::since)]
    pub(crate) since: Option<String>,
    /// The events are complete up to then. Without it, up to the last; calls behind that are not judged
    #[arg(long, value_name = "TIME", value_parser = crate::timeline::since)]
    pub(crate) until: Option<String>,
    /// How far the clocks may be apart where object and time alone show what belongs together
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::keys::duration)]
    pub(crate) window: Duration,
    /// One JSON object a line: each fault, and last the summary
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write the JSON Schema of the configuration file
    Schema,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum FormatArg {
    #[default]
    Auto,
    /// One JSON document; scan takes more, each begun on a line of its own
    Json,
    /// Any number of JSON documents, one a line or in a row
    Ndjson,
    /// Plain UTF-8 text
    Text,
    /// Forms (application/x-www-form-urlencoded) or query strings, one a line
    Form,
    /// One body of multipart/form-data with parts of text and JSON
    Multipart,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum TransformArg {
    /// The category in square brackets
    #[default]
    Label,
    /// As many characters, with only what may be shown
    Mask,
    /// Nothing
    Remove,
    /// The category and a hash under a key: equal values stay equal, and nobody without the key can try values out
    Hash,
    /// The year of a date of birth, the country of an address, the network of an IP address; otherwise the label
    Generalise,
    /// Not for files: what can be undone is the sidecar's
    Token,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ProfileArg {
    #[default]
    Balanced,
    Strict,
}

impl From<ProfileArg> for Profile {
    fn from(profile: ProfileArg) -> Profile {
        match profile {
            ProfileArg::Balanced => Profile::Balanced,
            ProfileArg::Strict => Profile::Strict,
        }
    }
}

/// Values of `--carry-over`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum CarryOverArg {
    Off,
    #[default]
    Forward,
    Document,
}

impl From<CarryOverArg> for CarryOver {
    fn from(arg: CarryOverArg) -> CarryOver {
        match arg {
            CarryOverArg::Off => CarryOver::Off,
            CarryOverArg::Forward => CarryOver::Forward,
            CarryOverArg::Document => CarryOver::Document,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum LevelArg {
    /// Cues that are as often wrong as right
    Possible,
    /// Form and context agree
    #[default]
    Likely,
    /// Check digits, prefixes, forms that hardly come about by chance
    Certain,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Level {
        match level {
            LevelArg::Possible => Level::Possible,
            LevelArg::Likely => Level::Likely,
            LevelArg::Certain => Level::Certain,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

fn categories() -> impl TypedValueParser<Value = Category> {
    let names = Category::ALL.iter().map(|category| category.as_str());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Category>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn categories_come_as_a_list() {
        let args =
            Args::try_parse_from(["obelus", "scan", "--only", "email,us-ssn", "--skip=phone", "a.json"]);
        let Ok(Args { command: Command::Scan(scan) }) = args else { panic!("{args:?}") };
        assert_eq!(scan.flow.choice.only, [Category::Email, Category::UsSsn]);
        assert_eq!(scan.flow.choice.skip, [Category::Phone]);
        assert_eq!(scan.flow.files, [PathBuf::from("a.json")]);
    }

    #[test]
    fn progress_without_a_word_means_always_and_takes_no_file() {
        let args = Args::try_parse_from(["obelus", "redact", "--progress", "a.json"]);
        let Ok(Args { command: Command::Redact(redact) }) = args else { panic!("{args:?}") };
        assert_eq!(redact.flow.progress, When::Always);
        assert_eq!(redact.flow.files.len(), 1);
    }
}
