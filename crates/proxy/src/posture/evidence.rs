//! Records.

use super::Review;
use crate::otlp::Sent;
use crate::stores::StartError;
use obelus_audit::{Files, Note, Utc};
use serde::Deserialize;
use std::fs;
use std::time::Duration;

/// How many records the copies of checkpoints may be behind, and a collector: one checkpoint.
const BEHIND_MAX: u64 = 1000;
/// How far the newest record may be ahead of the clock.
const AHEAD_MAX: Duration = Duration::from_secs(60);
/// After so long records should be paired again.
const PAIRED_MAX: Duration = Duration::from_secs(7 * 86_400);

/// What `obelus audit reconcile` leaves beside the records.
#[derive(Deserialize)]
struct Reconciled {
    time: String,
    verdict: String,
}

/// Whether copies of checkpoints, or a collector, lack what they should have: something is due after seconds, however
/// few records there are.
fn is_behind(records: u64, covered: u64, is_without: bool) -> bool {
    let behind = records.saturating_sub(covered);
    behind > BEHIND_MAX || is_without && behind > 0
}

impl Review<'_> {
    pub(super) fn evidence(&mut self) -> Result<(), StartError> {
        let audit = &self.config.audit;
        let path = audit.path.display().to_string();
        if audit.copies.is_none() {
            self.note("evidence/no-copies", "audit.checkpoints", "no folder is named");
        }
        let key = audit.key_path();
        if key.parent() == audit.path.parent() {
            self.note("evidence/key-beside", "audit.key_file", key.display().to_string());
        }
        let files = match Files::of_log(&audit.path) {
            Ok(files) => files,
            Err(_) if !audit.path.exists() => {
                self.note("evidence/none", "audit.path", path);
                return Ok(());
            }
            Err(error) => return Err(StartError::Audit(error)),
        };
        let mut copies = Vec::new();
        for entry in audit.copies.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            let found = entry.path();
            if found.extension().is_some_and(|ending| ending == "checkpoints") {
                copies.extend(fs::read(&found).map(Note::parse_all).unwrap_or_default());
            }
        }
        let report = obelus_audit::verify(&files, &[], None, |_| {}).map_err(StartError::Audit)?;
        // Other logs may have their copies in the same folder.
        let origin = report.origin.clone().unwrap_or_default();
        copies.retain(|note| note.text.lines().next() == Some(origin.as_str()));
        let report = match copies.is_empty() {
            true => report,
            false => obelus_audit::verify(&files, &copies, None, |_| {}).map_err(StartError::Audit)?,
        };
        if let Some(fault) = &report.fault {
            self.note(
                "evidence/chain",
                "audit.path",
                format!("from record {} on: {}", fault.seq, fault.what),
            );
        } else if audit.copies.is_some() && is_behind(report.seq_last, report.covered, copies.is_empty()) {
            let seen = format!("{} of {} records are covered", report.covered, report.seq_last);
            self.note("evidence/copies-behind", "audit.checkpoints", seen);
        }
        if self.config.otlp.is_some() {
            let sent = Sent::read(audit.sent_path(), &origin)?.seq();
            if is_behind(report.seq_last, sent, sent == 0) {
                let seen = format!("{sent} of {} records were taken", report.seq_last);
                self.note("evidence/collector-behind", "audit.otlp", seen);
            }
        }
        self.times(&files)?;
        self.reconciled();
        Ok(())
    }

    /// Looks at the first record and the last.
    fn times(&mut self, files: &Files) -> Result<(), StartError> {
        #[derive(Deserialize)]
        struct Line {
            time: String,
        }
        let time =
            |line: &[u8]| serde_json::from_slice::<Line>(line).ok().and_then(|line| Utc::parse(&line.time));
        let (mut first, mut last) = (None, Vec::new());
        let read = files.records(|line| {
            first = first.or_else(|| time(line));
            last.clear();
            last.extend_from_slice(line);
            true
        });
        read.map_err(StartError::Audit)?;
        if let Some(newest) = time(&last).filter(|time| *time > Utc::from(self.now + AHEAD_MAX)) {
            self.note("evidence/clock", "audit.path", format!("the newest record is of {newest}"));
        }
        if let Some(first) = first.filter(|_| self.config.audit.ship.is_none()) {
            self.note(
                "evidence/retention",
                "audit.path",
                format!("records since {first}, {} bytes", files.bytes()),
            );
        }
        Ok(())
    }

    fn reconciled(&mut self) {
        let path = self.config.audit.path.with_file_name("reconciled.json");
        let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Reconciled>(&text).ok());
        let Some(Reconciled { time, verdict }) = read else {
            self.note(
                "evidence/not-reconciled",
                "audit.path",
                "no result of `obelus audit reconcile` beside the records",
            );
            return;
        };
        let oldest = Utc::from(self.now.checked_sub(PAIRED_MAX).unwrap_or(self.now));
        let when = Utc::parse(&time);
        if when.is_none_or(|when| when < oldest) {
            let seen = when.map_or("at a time that is none".to_owned(), |when| when.to_string());
            self.note("evidence/reconciled-long-ago", "audit.path", seen);
        }
        if verdict != "right" {
            self.note("evidence/reconciled-fault", "audit.path", "faults were found");
        }
    }
}
