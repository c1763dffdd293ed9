//! Scenarios over calls that wait for people: asked for, decided, executed, step by step.

use obelus::Redactor;
use obelus_gate::{
    Approvals, Asked, Call, Caller, Connection, Denied, Outcome, Policy, PolicyFile, Proposal, RiskClass,
    SealKey, Servers, State, Sums, ToolCall, Vote, visible,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use zeroize::Zeroizing;

/// The server that all tools belong to.
const SERVER: &str = "tools";
/// The time of all steps: nothing expires here.
const NOW: u64 = 1_000;
/// Who asks where a step does not say it.
const REQUESTER: &str = "agent-1";

/// What a scenario is written as.
#[derive(Debug, Deserialize)]
struct Scenario {
    tools: BTreeMap<String, Tool>,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Tool {
    policy: String,
    #[serde(default)]
    approvers: u8,
}

#[derive(Debug, Deserialize)]
struct Step {
    op: Op,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    arguments_raw: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    session: String,
    by: Option<String>,
    #[serde(default)]
    call: usize,
    #[serde(default)]
    n: usize,
    #[serde(default)]
    check: bool,
    want_executed: Option<usize>,
    #[serde(default)]
    want_contains: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Op {
    ToolCall,
    Approve,
    Deny,
    Execute,
    ExecuteParallel,
    Render,
    Restart,
    DbDown,
}

/// The gate of a scenario, and what it has let out.
struct Stage {
    path: PathBuf,
    approvals: Option<Approvals>,
    /// Holds the file so that nobody else can use it.
    lock: Mutex<Option<rusqlite::Connection>>,
    servers: Servers,
    policy: Policy,
    /// For each call, who asked and under which name it waits.
    calls: Vec<(String, Option<String>)>,
    executed: AtomicUsize,
    _folder: tempfile::TempDir,
}

/// Runs a scenario. What counts is the step that is checked.
pub(crate) fn run(input: &[u8]) -> Result<(&'static str, Vec<u8>), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(input)?;
    let mut stage = Stage::new(&scenario.tools)?;
    let mut result = ("error", b"no step is checked".to_vec());
    for step in &scenario.steps {
        let (is_done, output) = stage.take(step)?;
        if step.check {
            result = (if is_done { "allowed" } else { "rejected" }, output.into_bytes());
        }
    }
    Ok(result)
}

/// Whether a body calls a tool over JSON-RPC, and why the gate does not read it, if it does not.
pub(crate) fn refused_message(body: &[u8]) -> Option<Denied> {
    let message: Value = serde_json::from_slice(body).ok()?;
    if message.get("jsonrpc").is_none() || message.get("method")? != "tools/call" {
        return None;
    }
    let mut servers = Servers::default();
    servers.add(SERVER, "message", RiskClass::Read);
    let call = ToolCall { tool: "message", arguments: body, connection: Connection::default() };
    servers.tool_call(SERVER, &call).err()
}

impl Stage {
    fn new(tools: &BTreeMap<String, Tool>) -> Result<Stage, Box<dyn Error>> {
        let (mut servers, mut rules) = (Servers::default(), String::new());
        for (name, tool) in tools {
            let is_free = tool.policy == "allow";
            servers.add(SERVER, name, if is_free { RiskClass::Read } else { RiskClass::OtherMutation });
            let approval =
                if is_free { String::new() } else { format!("@approval(\"{}\") ", tool.approvers) };
            rules += &format!(
                "@id(\"{name}\") {approval}permit (principal, action == Action::\"{SERVER}/{name}\", resource);\n"
            );
        }
        let policy = Policy::load(&[PolicyFile { name: "tools.cedar".to_owned(), text: rules }], &servers)?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("approvals.db");
        let approvals = Some(open(&path)?);
        let executed = AtomicUsize::new(0);
        Ok(Stage {
            path,
            approvals,
            lock: Mutex::default(),
            servers,
            policy,
            calls: Vec::new(),
            executed,
            _folder: folder,
        })
    }

    /// Takes one step, and says whether it was done and what was shown.
    fn take(&mut self, step: &Step) -> Result<(bool, String), Box<dyn Error>> {
        let before = self.executed.load(Ordering::SeqCst);
        match step.op {
            Op::ToolCall => {
                let by = step.by.clone().unwrap_or_else(|| REQUESTER.to_owned());
                let id = self.ask(step, &by)?;
                let is_done = id.is_some();
                self.calls.push((by, id));
                Ok((is_done, String::new()))
            }
            Op::Approve | Op::Deny => Ok((self.vote(step), String::new())),
            Op::Execute => {
                let is_done = self.execute(step);
                Ok((is_done && self.executed.load(Ordering::SeqCst) == before + 1, String::new()))
            }
            Op::ExecuteParallel => {
                let barrier = Barrier::new(step.n);
                thread::scope(|scope| {
                    for _ in 0..step.n {
                        scope.spawn(|| {
                            barrier.wait();
                            self.execute(step)
                        });
                    }
                });
                let executed = self.executed.load(Ordering::SeqCst) - before;
                Ok((Some(executed) == step.want_executed, format!("executed {executed}")))
            }
            Op::Render => {
                let shown = self.approval_of(step).and_then(|id| self.approvals.as_ref()?.show(id, NOW).ok());
                let text = shown.map(|approval| approval.summary).unwrap_or_default();
                Ok((step.want_contains.iter().all(|wanted| text.contains(wanted)), text))
            }
            Op::Restart => {
                self.approvals = None;
                self.approvals = Some(open(&self.path)?);
                Ok((true, String::new()))
            }
            Op::DbDown => {
                let lock = rusqlite::Connection::open(&self.path)?;
                lock.execute_batch("BEGIN EXCLUSIVE")?;
                *self.lock.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(lock);
                Ok((true, String::new()))
            }
        }
    }

    /// Puts a call before people. Nothing if it does not wait.
    fn ask(&self, step: &Step, by: &str) -> Result<Option<String>, Box<dyn Error>> {
        let Ok(operation) = self.servers.tool_call(SERVER, &tool_call(step)) else { return Ok(None) };
        let caller = Caller { key: by, workflow: "default" };
        let decision = self.policy.decide(&operation, &caller, &Sums::default(), NOW);
        let Outcome::NeedsApproval { approvers } = decision.outcome else { return Ok(None) };
        let id = Approvals::new_id()?;
        let summary = summary(step)?;
        let proposal = Proposal {
            id: &id,
            call: call(step, by, &operation.operation),
            policy_version: self.policy.version(),
            approvers,
            expires: NOW + 600,
            payload: step.arguments_raw.as_bytes(),
            summary: &summary,
        };
        Ok(match self.approvals.as_ref().map(|approvals| approvals.ask(&proposal, NOW)) {
            Some(Ok(Asked::New(approval) | Asked::Attached(approval))) => Some(approval.id),
            _ => None,
        })
    }

    fn approval_of(&self, step: &Step) -> Option<&str> {
        self.calls.get(step.call)?.1.as_deref()
    }

    fn vote(&self, step: &Step) -> bool {
        let (Some(id), Some(approvals)) = (self.approval_of(step), &self.approvals) else { return false };
        let Ok(shown) = approvals.show(id, NOW) else { return false };
        let vote = Vote {
            approver: step.by.clone().unwrap_or_default(),
            approves: step.op == Op::Approve,
            time: NOW,
        };
        approvals.vote(id, &vote, false, &shown.digest).is_ok()
    }

    /// The call is repeated: it is executed if it is the one that was approved.
    fn execute(&self, step: &Step) -> bool {
        let Some(approvals) = &self.approvals else { return false };
        let by = self.calls.get(step.call).map_or(REQUESTER, |(by, _)| by);
        let Ok(operation) = self.servers.tool_call(SERVER, &tool_call(step)) else { return false };
        let caller = Caller { key: by, workflow: "default" };
        let decision = self.policy.decide(&operation, &caller, &Sums::default(), NOW);
        match decision.outcome {
            Outcome::Allow => {
                self.executed.fetch_add(1, Ordering::SeqCst);
                return true;
            }
            Outcome::Deny { .. } => return false,
            Outcome::NeedsApproval { .. } => {}
        }
        let Ok(digest) = call(step, by, &operation.operation).digest() else { return false };
        let Ok(Some(known)) = approvals.find(&digest, 600, NOW) else { return false };
        if known.state != State::Approved {
            return false;
        }
        match approvals.consume(&known.id, self.policy.version(), NOW) {
            Ok(permit) => {
                // The tool runs with what was approved.
                let runs = permit.payload.as_slice() == step.arguments_raw.as_bytes();
                self.executed.fetch_add(usize::from(runs), Ordering::SeqCst);
                runs
            }
            Err(_) => false,
        }
    }
}

fn open(path: &std::path::Path) -> Result<Approvals, Box<dyn Error>> {
    Ok(Approvals::open(path, SealKey::new(Zeroizing::new([7; 32])))?)
}

fn tool_call(step: &Step) -> ToolCall<'_> {
    let connection = Connection { livemode: Some(true), account: None };
    ToolCall { tool: &step.tool, arguments: step.arguments_raw.as_bytes(), connection }
}

fn call<'a>(step: &'a Step, by: &'a str, operation: &'a str) -> Call<'a> {
    Call {
        tenant: &step.tenant,
        session: &step.session,
        requester: by,
        workflow: "default",
        method: "tools/call",
        server: SERVER,
        account: None,
        operation,
        arguments: step.arguments_raw.as_bytes(),
        tool_hash: None,
    }
}

/// What people see of a call.
fn summary(step: &Step) -> Result<String, Box<dyn Error>> {
    let redacted = Redactor::builder().build()?.redact(step.arguments_raw.as_bytes())?;
    let arguments: BTreeMap<String, Value> = serde_json::from_slice(&redacted)?;
    let lines = arguments.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{} = {}", visible(name), visible(&text))
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
