//! Definitions: which engine reads what, how much and in which pieces.

use crate::engine::Engine;
use obelus_corpora::Kind;
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// One thing to measure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Case {
    /// The name of the definition it comes from.
    pub group: String,
    /// What reads.
    pub engine: Engine,
    /// What is read.
    pub kind: Kind,
    /// The least length of the input.
    pub bytes: u64,
    /// The length of a chunk; engines that need whole documents do not look at it.
    pub chunk: usize,
}

impl Case {
    /// The name within its group.
    pub fn id(&self) -> String {
        let (engine, kind) = (self.engine.as_str(), self.kind.as_str());
        format!("{engine}/{kind}/{}/{}", size(self.bytes), size(self.chunk as u64))
    }
}

fn size(bytes: u64) -> String {
    match (bytes >> 20, bytes >> 10) {
        (0, 0) => format!("{bytes}B"),
        (0, kib) => format!("{kib}KiB"),
        (mib, _) => format!("{mib}MiB"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    analysis: String,
    bench: Vec<Definition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    name: String,
    engines: Vec<String>,
    corpora: Vec<String>,
    bytes: Vec<u64>,
    chunks: Vec<usize>,
}

/// Returns every case of every definition, in the order of file names. The error says which file and what.
pub fn cases() -> Result<Vec<Case>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let name_it = |error: String| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| name_it(error.to_string()))?;
        cases.extend(parse(&text).map_err(name_it)?);
    }
    Ok(cases)
}

fn parse(text: &str) -> Result<Vec<Case>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.analysis.trim().is_empty() {
        return Err("analysis is empty".to_owned());
    }
    let mut cases = Vec::new();
    for definition in &file.bench {
        cases.extend(definition.cases()?);
    }
    Ok(cases)
}

impl Definition {
    fn cases(&self) -> Result<Vec<Case>, String> {
        let mut cases = Vec::new();
        for corpus in &self.corpora {
            let kind = corpus.parse()?;
            for (&bytes, &chunk) in
                self.bytes.iter().flat_map(|bytes| self.chunks.iter().map(move |c| (bytes, c)))
            {
                if chunk == 0 {
                    return Err(format!("{}: a chunk of no bytes", self.name));
                }
                for engine in &self.engines {
                    cases.push(Case {
                        group: self.name.clone(),
                        engine: engine.parse()?,
                        kind,
                        bytes,
                        chunk,
                    });
                }
            }
        }
        if cases.is_empty() { Err(format!("{}: nothing to measure", self.name)) } else { Ok(cases) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "analysis = 'why'\n[[bench]]\nname = 'a'\nengines = ['memcpy']\ncorpora = ['clean']\n\
                        bytes = [1, 2048]\nchunks = [64]\n";

    #[test]
    fn a_definition_is_the_product_of_its_lists() {
        let ids: Vec<_> = parse(GOOD).unwrap().iter().map(Case::id).collect();
        assert_eq!(ids, ["memcpy/clean/1B/64B", "memcpy/clean/2KiB/64B"]);
    }

    #[test]
    fn what_is_wrong_in_a_definition_is_named() {
        for (from, to, reason) in [
            ("memcpy", "memmove", "unknown engine memmove"),
            ("clean", "tidy", "unknown kind tidy"),
            ("chunks = [64]", "chunks = [0]", "a chunk of no bytes"),
            ("chunks = [64]", "chunks = []", "nothing to measure"),
            ("chunks", "chunk", "unknown field"),
            ("'why'", "''", "analysis is empty"),
        ] {
            let error = parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
