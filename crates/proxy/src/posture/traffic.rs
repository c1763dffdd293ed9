//! Routing, and how traffic is read.

use super::Review;
use crate::canary::Tested;
use crate::config::MediaPolicy;
use obelus::{Level, Transform};
use obelus_wire::{Provider, Route};

impl Review<'_> {
    pub(super) fn routing(&mut self) {
        let config = self.config;
        for (name, upstream) in &config.upstreams {
            let own = match upstream.provider {
                Provider::OpenAi => "api.openai.com",
                Provider::Anthropic => "api.anthropic.com",
            };
            if upstream.authority.as_str() != own {
                let seen = format!("{}://{}", upstream.scheme, upstream.authority);
                self.note("routing/other-host", format!("upstreams.{name}.url"), seen);
            }
            if let Some(path) = &upstream.ca_file {
                let seen = path.display().to_string();
                self.note("routing/authorities", format!("upstreams.{name}.ca_file"), seen);
            }
            if upstream.provider == Provider::OpenAi {
                let seen = "requests go with the `store` that the client says";
                self.note("routing/retention", format!("upstreams.{name}"), seen);
            }
        }
        let hosted = [
            (
                Route::Responses,
                r#"{"model":"m","input":"x","tools":[{"type":"mcp","server_url":"https://mcp.example.com"}]}"#,
            ),
            (
                Route::Messages,
                r#"{"model":"m","max_tokens":1,"messages":[],"mcp_servers":[{"type":"url","url":"https://mcp.example.com"}]}"#,
            ),
        ];
        let policy = self.policy;
        for grant in policy.grants() {
            for (route, body) in hosted {
                if grant.wire.inspect(route, body.as_bytes()).is_ok() {
                    let place = format!("workflows.{}", grant.name);
                    self.note("routing/hosted-tools", place, format!("by the route {}", route.as_str()));
                }
            }
        }
    }

    pub(super) fn guardrails(&mut self, lanes: &[Tested]) {
        for tested in lanes {
            if let Some(fault) = &tested.fault {
                let seen = format!("{}, {}: {fault}", tested.place, tested.lane);
                self.note("guardrails/canary", format!("workflows.{}", tested.workflow), seen);
            }
        }
        let config = self.config;
        for (place, address) in [("listen", config.listen), ("admin", config.admin)] {
            if !address.ip().is_loopback() {
                self.note("guardrails/no-loopback", place, address.to_string());
            }
        }
        for (name, profile) in &config.profiles {
            let place = |key: &str| format!("profiles.{name}.{key}");
            if profile.media == MediaPolicy::Mark {
                self.note("guardrails/media", place("media"), "mark");
            }
            if profile.level == Level::Certain {
                self.note("guardrails/level", place("level"), "certain");
            }
            match profile.transform {
                Transform::Mask => self.note("guardrails/mask", place("transform"), "mask"),
                Transform::Generalise => self.note("guardrails/mask", place("transform"), "generalise"),
                _ => {}
            }
            if profile.strictness == obelus::Profile::Balanced {
                self.note("guardrails/balanced", place("profile"), "balanced");
            }
            for path in &profile.allow {
                self.note("guardrails/allow", place("allow"), path.display().to_string());
            }
        }
        for (name, workflow) in &config.workflows {
            let place = format!("workflows.{name}");
            if workflow.session_header.is_none() {
                self.note("guardrails/session", place.clone(), "no session_header");
            }
            let has_all_models = workflow.models.iter().any(|pattern| pattern == "*");
            if has_all_models && workflow.routes.len() == Route::ALL.len() {
                self.note("guardrails/breadth", place.clone(), "every route, every model");
            }
            if workflow.requests_per_day.is_none() {
                let seen = format!("{} requests a minute, all day", workflow.requests_per_minute);
                self.note("guardrails/no-day-limit", place, seen);
            }
        }
    }
}
