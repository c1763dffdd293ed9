//! From arguments to redactors.

use crate::args::{ChoiceArgs, FlowArgs, TransformArg};
use crate::failure::Failure;
use crate::input::display_name;
use crate::key;
use obelus::{BuildError, Builder, Format, Redactor, Transform};
use std::fs;
use std::path::Path;

/// The redactors of a run: one for each format, made when first needed.
#[derive(Debug)]
pub(crate) struct Redactors {
    builder: Builder,
    /// Where the key of hashes came from.
    key_origin: Option<String>,
    made: Vec<(Format, Redactor)>,
}

impl Redactors {
    /// Reads the rule files and checks the whole configuration, so that nothing is written under a wrong one.
    pub(crate) fn new(args: &FlowArgs) -> Result<Redactors, Failure> {
        let mut builder = builder(&args.choice)?;
        builder.transform(transform(args.transform)?);
        let key = key::read(args.hash_key_file.as_deref())?;
        if let Some(key) = &key {
            builder.hash_key(&key.bytes);
        }
        for path in &args.allow {
            let (text, name) = read_config(path, "allow-list")?;
            builder.allow(&text, &name);
        }
        let key_origin = key.map(|key| key.origin);
        let mut redactors = Redactors { builder, key_origin, made: Vec::new() };
        redactors.get(Format::Sequence)?;
        Ok(redactors)
    }

    pub(crate) fn get(&mut self, format: Format) -> Result<&Redactor, Failure> {
        let position = match self.made.iter().position(|(made, _)| *made == format) {
            Some(position) => position,
            None => {
                let redactor = self.builder.format(format).build().map_err(|error| self.refused(&error))?;
                self.made.push((format, redactor));
                self.made.len() - 1
            }
        };
        Ok(&self.made[position].1)
    }

    fn refused(&self, error: &BuildError) -> Failure {
        match &self.key_origin {
            Some(origin) if error.is_about_hash_key() => Failure::usage(format!("{origin}: {error}")),
            None if error.is_about_hash_key() => Failure::usage(format!("{error}: {}", key::REMEDY)),
            _ => Failure::config(error),
        }
    }
}

/// The rules that are chosen, without the rest of a configuration.
pub(crate) fn builder(args: &ChoiceArgs) -> Result<Builder, Failure> {
    let mut builder = Redactor::builder();
    for path in &args.rules {
        let (text, name) = read_rules(path)?;
        builder.rules(&text, &name);
    }
    builder.profile(args.profile.into()).level(args.level.into()).only(&args.only).skip(&args.skip);
    builder.carry_over(args.carry_over.into());
    Ok(builder)
}

/// Reads a rule file. Returns its text, and its name as errors tell it.
pub(crate) fn read_rules(path: &Path) -> Result<(String, String), Failure> {
    read_config(path, "rule file")
}

fn read_config(path: &Path, what: &str) -> Result<(String, String), Failure> {
    let name = display_name(path);
    match fs::read_to_string(path) {
        Ok(text) => Ok((text, name)),
        Err(error) => Err(Failure::usage(format!("{name}: cannot read the {what}: {error}: check the path"))),
    }
}

fn transform(transform: TransformArg) -> Result<Transform, Failure> {
    match transform {
        TransformArg::Label => Ok(Transform::Label),
        TransformArg::Mask => Ok(Transform::Mask),
        TransformArg::Remove => Ok(Transform::Remove),
        TransformArg::Hash => Ok(Transform::Hash),
        TransformArg::Generalise => Ok(Transform::Generalise),
        TransformArg::Token => Err(Failure::usage(
            "--transform token: what can be undone needs the sidecar, which keeps the values: \
             label, mask, remove, hash and generalise work here",
        )),
    }
}
