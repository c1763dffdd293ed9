//! `obelus rules`: what is found and why.

use crate::args::{ChoiceArgs, RulesCommand};
use crate::choice;
use crate::explain;
use crate::failure::{Failure, Outcome};
use crate::input::Input;
use crate::manual::write_out;
use crate::promises::{self, Promises};
use obelus::{Format, Redactor, RuleInfo, rule_files};
use serde::Serialize;
use std::path::Path;

/// Runs one of the commands.
pub(crate) fn run(command: &RulesCommand) -> Result<Outcome, Failure> {
    match command {
        RulesCommand::List { choice, json } => list(choice, *json),
        RulesCommand::Explain { what, file, format, choice } if explain::is_path(what) => {
            let input = Input::open(file.as_deref().unwrap_or(Path::new("-")))?;
            explain::explain(what, input, *format, |format| redactor(choice, format))
        }
        RulesCommand::Explain { file: Some(_), .. } => {
            Err(Failure::usage("a file is for the path of a value, which begins with `/`"))
        }
        RulesCommand::Explain { what, choice, .. } => explain(what, choice),
        RulesCommand::Test { file } => test(file.as_deref()),
    }
}

fn redactor(choice: &ChoiceArgs, format: Format) -> Result<Redactor, Failure> {
    // Nothing that is hashed is shown: any key does for a rule file that wants one.
    choice::builder(choice)?
        .hash_key(&[0; 32])
        .format(format)
        .build()
        .map_err(|error| Failure::config(&error))
}

fn list(choice: &ChoiceArgs, is_json: bool) -> Result<Outcome, Failure> {
    let redactor = redactor(choice, Format::default())?;
    let is_chosen = |rule: &&RuleInfo| {
        (choice.only.is_empty() || choice.only.contains(&rule.category))
            && !choice.skip.contains(&rule.category)
    };
    let rules: Vec<&RuleInfo> = redactor.rules().iter().filter(is_chosen).collect();
    let text = if is_json { json_lines(&rules)? } else { table(&rules) };
    write_out(text.as_bytes())
}

/// One rule as others read it.
#[derive(Serialize)]
struct Line<'a> {
    rule: &'a str,
    category: &'static str,
    description: &'a str,
    validator: &'a str,
    source: &'a str,
}

fn json_lines(rules: &[&RuleInfo]) -> Result<String, Failure> {
    let mut text = String::new();
    for rule in rules {
        let line = Line {
            rule: &rule.rule,
            category: rule.category.as_str(),
            description: &rule.description,
            validator: &rule.validator,
            source: &rule.source,
        };
        let line = serde_json::to_string(&line)
            .map_err(|error| Failure::data(format!("{}: cannot be written as JSON: {error}", rule.rule)))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn table(rules: &[&RuleInfo]) -> String {
    let width = |of: fn(&RuleInfo) -> usize| rules.iter().map(|rule| of(rule)).max().unwrap_or(0);
    let rule_width = width(|rule| rule.rule.chars().count());
    let category_width = width(|rule| rule.category.as_str().len());
    let mut text = String::new();
    for rule in rules {
        let category = rule.category.as_str();
        text.push_str(&format!(
            "{:rule_width$}  {category:category_width$}  {}\n",
            rule.rule, rule.description
        ));
    }
    text
}

fn explain(wanted: &str, choice: &ChoiceArgs) -> Result<Outcome, Failure> {
    let redactor = redactor(choice, Format::default())?;
    let by_id = redactor.rules().iter().filter(|rule| rule.rule == wanted);
    let by_category = redactor.rules().iter().filter(|rule| rule.category.as_str() == wanted);
    // A category may bear the name of one of its rules; then all of them are told.
    let mut told: Vec<&RuleInfo> = by_category.collect();
    told.extend(by_id.filter(|rule| rule.category.as_str() != wanted));
    if told.is_empty() {
        let line = format!("no rule or category `{wanted}`: `obelus rules list` shows what there is");
        return Err(Failure::usage(line));
    }
    let texts: Vec<String> = told.into_iter().map(explanation).collect();
    write_out(texts.join("\n").as_bytes())
}

fn explanation(rule: &RuleInfo) -> String {
    let RuleInfo { rule, category, description, validator, source, level, .. } = rule;
    let level = explain::level(*level);
    format!(
        "{rule}\n  finds       {description}\n  category    {category}\n  level       {level}\n  only if     {validator}\n  source      {source}\n"
    )
}

/// Checks rule files: that they compile, and that their examples hold.
fn test(file: Option<&Path>) -> Result<Outcome, Failure> {
    let files = match file {
        Some(path) => vec![choice::read_rules(path)?],
        None => vec![
            (rule_files::STRIPE.to_owned(), "built-in stripe.toml".to_owned()),
            (rule_files::GENERIC.to_owned(), "built-in generic.toml".to_owned()),
        ],
    };
    let mut outcome = Outcome::Done;
    for (text, name) in files {
        let Promises { kept, broken } = promises::check(&text, &name)?;
        if !broken.is_empty() {
            outcome = Outcome::Found;
        }
        let mut report = broken.join("\n");
        report.push_str(&format!("\n{name}: {kept} examples hold, {} do not\n", broken.len()));
        write_out(report.trim_start().as_bytes())?;
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_rule_has_the_agreed_names() {
        let redactor = Redactor::builder().build().unwrap();
        let rules: Vec<&RuleInfo> = redactor.rules().iter().collect();
        let text = json_lines(&rules).unwrap_or_else(|failure| panic!("{failure:?}"));
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        // A dependency decides whether the map keeps the order.
        let mut names: Vec<&String> = first.as_object().unwrap().keys().collect();
        names.sort_unstable();
        assert_eq!(names, ["category", "description", "rule", "source", "validator"]);
    }

    #[test]
    fn the_columns_of_the_table_are_aligned() {
        let redactor = Redactor::builder().build().unwrap();
        let rules: Vec<&RuleInfo> = redactor.rules().iter().collect();
        let text = table(&rules);
        assert_eq!(text.lines().count(), rules.len());
        let column = |line: &str, rule: &RuleInfo| line.rfind(&format!("  {}", rule.description));
        let columns: Vec<_> = text.lines().zip(rules).map(|(line, rule)| column(line, rule)).collect();
        assert!(columns.iter().all(|at| at.is_some() && *at == columns[0]), "{text}");
    }
}
