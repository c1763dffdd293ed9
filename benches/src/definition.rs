//! Definitions: which engine reads what, how much and in which pieces.

use crate::engine::Engine;
use crate::input::Mix;
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
    pub mix: Mix,
    /// The least length of the input.
    pub bytes: u64,
    /// The length of a chunk; engines that need whole documents do not look at it.
    pub chunk: usize,
    /// How many threads read a part of the documents each.
    pub threads: usize,
}

impl Case {
    /// The name within its group.
    pub fn id(&self) -> String {
        let (engine, mix) = (self.engine.as_str(), self.mix.name());
        let threads = if self.threads == 1 { String::new() } else { format!("/{} threads", self.threads) };
        let chunk = if self.chunk == WHOLE { "whole".to_owned() } else { size(self.chunk as u64) };
        format!("{engine}/{mix}/{}/{chunk}{threads}", size(self.bytes))
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
    chunks: Vec<Chunk>,
    #[serde(default = "one")]
    threads: Vec<usize>,
}

/// The length of a chunk.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Chunk {
    Bytes(usize),
    Word(Word),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Whole,
}

/// The length of a chunk that is the whole input.
const WHOLE: usize = usize::MAX;

fn one() -> Vec<usize> {
    vec![1]
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
        let chunks: Vec<usize> = self.chunks.iter().map(|chunk| chunk.bytes()).collect();
        if chunks.contains(&0) || self.threads.contains(&0) {
            return Err(format!("{}: a chunk of no bytes, or no thread", self.name));
        }
        for corpus in &self.corpora {
            let mix: Mix = corpus.parse()?;
            let each = |bytes| {
                chunks.iter().flat_map(move |&chunk| self.threads.iter().map(move |&t| (bytes, chunk, t)))
            };
            for (bytes, chunk, threads) in self.bytes.iter().flat_map(|&bytes| each(bytes)) {
                for engine in &self.engines {
                    let group = self.name.clone();
                    cases.push(Case { group, engine: engine.parse()?, mix, bytes, chunk, threads });
                }
            }
        }
        if cases.is_empty() { Err(format!("{}: nothing to measure", self.name)) } else { Ok(cases) }
    }
}

impl Chunk {
    fn bytes(self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Word(Word::Whole) => WHOLE,
        }
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
            ("clean", "clean+3 parts", "unknown kind clean+3 parts"),
            ("chunks = [64]", "chunks = [0]", "a chunk of no bytes"),
            ("chunks = [64]", "chunks = []", "nothing to measure"),
            ("chunks = [64]", "chunks = [64]\nthreads = [0]", "no thread"),
            ("chunks", "chunk", "unknown field"),
            ("'why'", "''", "analysis is empty"),
        ] {
            let error = parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
