//! Cases as data: what goes in, what comes out, and why it matters.
//!
//! A file in `cases/` holds any number of `[[case]]` tables. Texts may hold marks: `<<sk>>` and the like stand
//! for fake keys, which are put together here so that no scanner takes the files for a leak, and `<<x*9000>>` for
//! a long run of one character.

use crate::folders;
use crate::run::Found;
use obelus::{Arch, CarryOver, Category, Format, Limits, Profile, Redactor, Transform};
use serde::Deserialize;
use std::str::FromStr;

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique, never changed.
    pub name: String,
    /// What would go wrong.
    pub why: String,
    /// `json`, `sequence` (default), `text`, `form` or `multipart`.
    #[serde(default)]
    pub format: Kind,
    /// `balanced` (default) or `strict`.
    #[serde(default)]
    pub profile: Level,
    /// `label` (default), `mask`, `remove`, `hash` or `generalise`.
    #[serde(default)]
    pub transform: Replace,
    /// The least evidence on which detectors act: `possible`, `likely` (default) or `certain`.
    #[serde(default)]
    pub level: Evidence,
    /// `off`, `forward` (default) or `document`.
    #[serde(default)]
    pub carry_over: Shown,
    /// Whether something is hidden because the document shows it elsewhere.
    #[serde(default)]
    pub carried: bool,
    /// Categories acted on, if not all.
    #[serde(default)]
    pub only: Vec<String>,
    /// Categories not acted on.
    #[serde(default)]
    pub skip: Vec<String>,
    /// A rule file in front of the default ones.
    pub rules: Option<String>,
    /// An allow-list.
    pub allow: Option<String>,
    /// Limits other than the default ones.
    #[serde(default)]
    pub limits: SomeLimits,
    /// The input.
    pub input: String,
    /// What comes out; as the input if absent.
    pub output: Option<String>,
    /// The text of the error, if there is one. Then the output is what leaves before it.
    pub error: Option<String>,
    /// Why a second pass over the output may change it; absent if it may not.
    pub unsteady: Option<String>,
    /// Every finding, in order.
    #[serde(default)]
    pub findings: Vec<Expected>,
}

/// A finding as a case states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The document; the first if absent.
    #[serde(default)]
    pub doc: u64,
    /// The pointer.
    pub path: String,
    /// The category.
    pub category: String,
    /// The rule; any if absent.
    pub rule: Option<String>,
    /// Bytes of the input.
    pub span: (u64, u64),
    /// Code points of the decoded string.
    pub chars: (u64, u64),
    /// Whether it may stay.
    #[serde(default)]
    pub allowed: bool,
}

/// [`Format`] as written in cases.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Json,
    #[default]
    Sequence,
    Text,
    Form,
    /// A multipart body.
    Multipart,
}

/// [`Profile`] as written in cases.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    #[default]
    Balanced,
    Strict,
}

/// [`Transform`] as written in cases.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Replace {
    #[default]
    Label,
    Mask,
    Remove,
    Hash,
    Generalise,
}

/// [`obelus::Level`] as written in cases.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Evidence {
    Possible,
    #[default]
    Likely,
    Certain,
}

/// [`CarryOver`] as written in cases.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Shown {
    Off,
    #[default]
    Forward,
    Document,
}

/// The key of all hashes in the suites.
pub const HASH_KEY: &[u8] = b"the key of the suites and of nobody else";

/// [`Limits`] as written in cases.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as in the limits themselves")]
pub struct SomeLimits {
    pub depth_max: Option<usize>,
    pub hold_bytes_max: Option<usize>,
    pub path_bytes_max: Option<usize>,
    pub nesting_max: Option<usize>,
    pub wait_bytes_max: Option<u64>,
    pub document_bytes_max: Option<usize>,
}

impl SomeLimits {
    fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            depth_max: self.depth_max.unwrap_or(default.depth_max),
            hold_bytes_max: self.hold_bytes_max.unwrap_or(default.hold_bytes_max),
            path_bytes_max: self.path_bytes_max.unwrap_or(default.path_bytes_max),
            nesting_max: self.nesting_max.unwrap_or(default.nesting_max),
            wait_bytes_max: self.wait_bytes_max.unwrap_or(default.wait_bytes_max),
            document_bytes_max: self.document_bytes_max.unwrap_or(default.document_bytes_max),
        }
    }
}

impl Case {
    /// The redactor the case asks for.
    ///
    /// # Errors
    /// If a category has no such name or the rules are wrong.
    pub fn redactor(&self, arch: Arch) -> Result<Redactor, String> {
        let mut builder = Redactor::builder();
        builder.arch(arch).limits(self.limits.limits());
        builder.only(&categories(&self.only)?).skip(&categories(&self.skip)?);
        builder.format(match self.format {
            Kind::Json => Format::Json,
            Kind::Sequence => Format::Sequence,
            Kind::Text => Format::Text,
            Kind::Form => Format::Form,
            Kind::Multipart => Format::Multipart,
        });
        builder.profile(match self.profile {
            Level::Balanced => Profile::Balanced,
            Level::Strict => Profile::Strict,
        });
        builder.transform(match self.transform {
            Replace::Label => Transform::Label,
            Replace::Mask => Transform::Mask,
            Replace::Remove => Transform::Remove,
            Replace::Hash => Transform::Hash,
            Replace::Generalise => Transform::Generalise,
        });
        builder.hash_key(HASH_KEY).level(match self.level {
            Evidence::Possible => obelus::Level::Possible,
            Evidence::Likely => obelus::Level::Likely,
            Evidence::Certain => obelus::Level::Certain,
        });
        builder.carry_over(match self.carry_over {
            Shown::Off => CarryOver::Off,
            Shown::Forward => CarryOver::Forward,
            Shown::Document => CarryOver::Document,
        });
        if let Some(rules) = &self.rules {
            builder.rules(rules, "case.toml");
        }
        if let Some(list) = &self.allow {
            builder.allow(list, "allow.toml");
        }
        builder.build().map_err(|error| error.to_string())
    }

    /// The bytes that go in.
    pub fn input_bytes(&self) -> Vec<u8> {
        fill(&self.input).into_bytes()
    }

    /// The bytes that come out.
    pub fn output_bytes(&self) -> Vec<u8> {
        fill(self.output.as_ref().unwrap_or(&self.input)).into_bytes()
    }

    /// Whether the findings are those stated.
    ///
    /// # Errors
    /// Says which is not.
    pub fn check_findings(&self, findings: &[Found]) -> Result<(), String> {
        if findings.len() != self.findings.len() {
            return Err(format!("{} findings instead of {}", findings.len(), self.findings.len()));
        }
        for (stated, found) in self.findings.iter().zip(findings) {
            let same = stated.doc == found.doc
                && fill(&stated.path) == found.path
                && stated.category == found.category
                && stated.span == found.span
                && stated.chars == found.chars
                && stated.allowed == found.allowed
                && stated.rule.as_ref().is_none_or(|rule| *rule == found.rule);
            if !same {
                return Err(format!("stated {stated:?}, found {found:?}"));
            }
        }
        Ok(())
    }
}

/// Categories by name.
///
/// # Errors
/// Names the one that is none.
pub fn categories(names: &[String]) -> Result<Vec<Category>, String> {
    names.iter().map(|name| Category::from_str(name).map_err(|error| format!("{name}: {error}"))).collect()
}

/// Every case of every file in `cases/`, with unique names.
///
/// # Errors
/// Says which file is wrong, or which name stands twice.
pub fn all() -> Result<Vec<Case>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        case: Vec<Case>,
    }
    let mut cases: Vec<Case> = Vec::new();
    let files =
        folders::files(&folders::package().join("cases"), "toml").map_err(|error| error.to_string())?;
    for path in files {
        let say = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| say(&error))?;
        let file: File = toml::from_str(&text).map_err(|error| say(&error))?;
        for case in file.case {
            if cases.iter().any(|other| other.name == case.name) {
                return Err(format!("the name {} stands twice", case.name));
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

/// A fake key for each mark: the prefix that makes the shape, and filler.
pub const FAKES: [(&str, &[&str]); 10] = [
    ("sk", &["sk_", "test_", "51ObelusFakeKeyForTests00"]),
    ("rk", &["rk_", "live_", "51ObelusFakeKeyForTests01"]),
    ("whsec", &["whs", "ec_", "ObelusFakeSecretForTests0000000"]),
    ("secret", &["pi_3ObelusFakeIntent000001", "_sec", "ret_", "ObelusFakeSecret000000001"]),
    ("aws", &["AK", "IA", "OBELUSFAKEKEY234"]),
    ("github", &["gh", "p_", "ObelusFakeTokenForTests0000000000012"]),
    ("github-checked", &["gh", "p_", "0123456789abcdefghijABCDEFGHIJ", "3mpbCX"]),
    ("openai", &["sk-", "proj-", "ObelusFakeKeyForTests0000000000000000000000000001"]),
    (
        "jwt",
        &[
            "eyJ",
            "hbGciOiJIUzI1NiJ9",
            ".eyJ",
            "zdWIiOiJvYmVsdXMifQ",
            ".ObelusFakeSignature0000000000000000000000",
        ],
    ),
    (
        "pem",
        &["-----BEGIN ", "PRIVATE KEY-----", "ObelusFakeObelusFake0000", "-----END ", "PRIVATE KEY-----"],
    ),
];

/// `text` with its marks replaced.
pub fn fill(text: &str) -> String {
    let mut parts = text.split("<<");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((mark, rest)) = part.split_once(">>") else {
            filled.push_str("<<");
            filled.push_str(part);
            continue;
        };
        if let Some((_, fake)) = FAKES.iter().find(|(name, _)| *name == mark) {
            filled.extend(fake.iter().copied());
        } else if let Some((run, times)) = mark.split_once('*') {
            filled.push_str(&run.repeat(times.parse().unwrap_or(1)));
        }
        filled.push_str(rest);
    }
    filled
}
