//! Tools of agents: which are open to whom, and what rules make of those that change something.

use super::Review;
use crate::config::{McpKind, McpServer, Restore};
use crate::gate::{Gate, unix_seconds};
use crate::mcp::kind;
use obelus_gate::{Amount, Because, Caller, Operation, Outcome, Sums};

/// What names every place of a tool's arguments.
const EVERYWHERE: [&str; 2] = ["", "/*"];
/// How many tools a finding names.
const NAMED_MAX: usize = 8;
/// Whom rules are asked about: no key has this name.
const NOBODY: &str = "posture";

impl Review<'_> {
    pub(super) fn tools(&mut self) {
        let config = self.config;
        let has_stripe = config.gate.as_ref().is_some_and(|gate| gate.stripe.is_some());
        if config.mcp.is_empty() && !has_stripe {
            self.note("tools/none", "", "the configuration has no section `mcp`, and no `gate.stripe`");
        }
        if config.gate.as_ref().is_some_and(|gate| gate.stripe.is_some() && gate.approvers.is_empty()) {
            self.note("tools/no-approver", "gate.approvers", "empty");
        }
        for (name, server) in &config.mcp {
            if !server.stops_changed {
                self.note("tools/unpinned", format!("mcp.{name}.on_change"), "record");
            }
            self.restored(format!("mcp.{name}.restore_arguments"), &server.restore_arguments);
            self.open_tools(name, server);
        }
        for (name, profile) in &config.profiles {
            self.restored(format!("profiles.{name}.restore_arguments"), &profile.restore_arguments);
        }
    }

    /// Looks for tools of which every argument gets values back.
    fn restored(&mut self, place: String, restored: &[Restore]) {
        let is_all =
            |restore: &&Restore| restore.paths.iter().any(|path| EVERYWHERE.contains(&path.as_str()));
        let tools: Vec<&str> = restored.iter().filter(is_all).map(|restore| restore.tool.as_str()).collect();
        if !tools.is_empty() {
            self.note("tools/restored", place, format!("tools {}", tools.join(", ")));
        }
    }

    /// What rules make of the tools of a server that change something, for each workflow that may use it.
    fn open_tools(&mut self, name: &str, server: &McpServer) {
        let policy = self.policy;
        let Some(gate) = &policy.gate else { return };
        let changes = changes(gate, name, server);
        for workflow in &server.workflows {
            let (mut open, mut unattended, mut without_rule) = (Vec::new(), Vec::new(), Vec::new());
            for (tool, operation) in &changes {
                match outcome(gate, operation, workflow) {
                    Outcome::Allow => {
                        open.push(format!("{tool} (goes out)"));
                        // In test mode it is about nobody's money.
                        if operation.livemode != Some(false) {
                            unattended.push(tool.clone());
                        }
                    }
                    Outcome::NeedsApproval { .. } => open.push(format!("{tool} (waits for people)")),
                    Outcome::Deny { because: Because::NothingPermits } => {
                        without_rule.push(format!("{tool} ({})", operation.risk_class));
                    }
                    Outcome::Deny { .. } => {}
                }
            }
            let place = || format!("mcp.{name}, workflow {workflow}");
            if !open.is_empty() {
                self.note("tools/open", place(), listed(&open));
            }
            if !unattended.is_empty() {
                self.note("tools/unattended", place(), listed(&unattended));
            }
            // Of Stripe's tools the configuration names none.
            if !without_rule.is_empty() && matches!(server.kind, McpKind::Other(_)) {
                self.note("tools/no-rule", place(), listed(&without_rule));
            }
        }
    }
}

/// The tools of a server that change something, with what a call without arguments means. Of a tool whose meaning depends
/// on its arguments nothing can be said here.
fn changes(gate: &Gate, name: &str, server: &McpServer) -> Vec<(String, Operation)> {
    let tools: Vec<&str> = match &server.kind {
        McpKind::Other(classes) => classes.keys().map(String::as_str).collect(),
        McpKind::Stripe { .. } => gate.catalogue.tool_names(),
    };
    let kind = kind(name, server, None);
    let understood = |tool: &str| kind.understand(name, tool, b"{}").ok();
    let operations = tools.into_iter().filter_map(|tool| Some((tool.to_owned(), understood(tool)?)));
    operations.filter(|(_, operation)| !operation.is_read()).collect()
}

/// What rules say of a call about no money, today's totals being empty.
fn outcome(gate: &Gate, operation: &Operation, workflow: &str) -> Outcome {
    let mut operation = operation.clone();
    operation.amount = Amount::Minor(0);
    let caller = Caller { key: NOBODY, workflow };
    gate.rules.decide(&operation, &caller, &Sums::default(), unix_seconds()).outcome
}

/// The first of them, and how many there are beside.
fn listed(tools: &[String]) -> String {
    let named = tools.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match tools.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        Some(more) => format!("{named} and {more} more"),
        None => named,
    }
}
