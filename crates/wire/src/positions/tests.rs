//! The matrix of positions: what becomes of a value, for each route, direction and path.
//!
//! `tests/positions.toml` says what must happen. Here values are put at each path, one position a body, and what comes
//! out is held against it; and each path of the tables must stand there.

use super::{Mark, Positions, Said};
use crate::{Media, Profile, Reason, Redacted, Refusal, Route, Wire};
use obelus::Category;
use obelus_vault::{Scope, Vault};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const MATRIX: &str = include_str!("../../tests/positions.toml");
const EMAIL: &str = "jenny@example.com";
const PICTURE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==";

#[derive(Deserialize)]
struct Matrix {
    prefixes: BTreeMap<String, Vec<String>>,
    #[serde(flatten)]
    routes: BTreeMap<String, Cells>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cells {
    request: Cell,
    answer: Cell,
    streamed: Cell,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(default)]
    absent: bool,
    like: Option<String>,
    /// Outcomes, and paths for each.
    #[serde(flatten)]
    outcomes: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Direction {
    Request,
    Answer,
    Streamed,
}

/// One row of the matrix.
#[derive(Debug)]
struct Row {
    route: Route,
    direction: Direction,
    /// The type of the event.
    kind: Option<String>,
    path: String,
    outcome: String,
    is_split: bool,
}

fn rows() -> Vec<Row> {
    let matrix: Matrix = toml::from_str(MATRIX).expect("the matrix is TOML");
    let mut rows = Vec::new();
    for route in Route::ALL {
        let of = |name: &str| matrix.routes.get(name).unwrap_or_else(|| panic!("the matrix has no {name}"));
        for direction in [Direction::Request, Direction::Answer, Direction::Streamed] {
            let pick = |name: &str| match direction {
                Direction::Request => &of(name).request,
                Direction::Answer => &of(name).answer,
                Direction::Streamed => &of(name).streamed,
            };
            let cell = pick(route.as_str());
            let cell = cell.like.as_deref().map_or(cell, pick);
            let from = rows.len();
            for (outcome, paths) in &cell.outcomes {
                for path in paths {
                    add_rows(&mut rows, &matrix.prefixes, (route, direction, outcome), path);
                }
            }
            assert_eq!(rows.len() == from, cell.absent, "{route:?} {direction:?}: empty, and not said to be");
        }
    }
    rows
}

fn add_rows(
    rows: &mut Vec<Row>,
    prefixes: &BTreeMap<String, Vec<String>>,
    (route, direction, outcome): (Route, Direction, &str),
    path: &str,
) {
    let (kind, path) =
        path.split_once(':').map_or((None, path), |(kind, path)| (Some(kind.to_owned()), path));
    let named = path.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    let paths = match named {
        Some((name, suffix)) => prefixes[name].iter().map(|prefix| format!("{prefix}{suffix}")).collect(),
        None => vec![path.to_owned()],
    };
    let (outcome, is_split) =
        outcome.strip_suffix(" split").map_or((outcome, false), |outcome| (outcome, true));
    rows.extend(paths.into_iter().map(|path| Row {
        route,
        direction,
        kind: kind.clone(),
        path,
        outcome: outcome.to_owned(),
        is_split,
    }));
}

/// A body with nothing but the value at the path.
fn body(path: &str, kind: Option<&str>, value: &Value) -> Value {
    let mut body = value.clone();
    for segment in path.rsplit('/').filter(|segment| !segment.is_empty()) {
        body = match segment {
            "*" => Value::Array(vec![body]),
            name => Value::Object(Map::from_iter([(name.to_owned(), body)])),
        };
    }
    if let (Some(kind), Value::Object(members)) = (kind, &mut body) {
        members.insert("type".to_owned(), kind.into());
    }
    body
}

struct Bench {
    wire: Arc<Wire>,
    marking: Arc<Wire>,
    scope: Scope,
    token: String,
    key: String,
}

/// What came out, and what passed unread.
type Read = Result<(String, Vec<&'static str>), Refusal>;

impl Bench {
    fn new() -> Bench {
        let scope = Vault::ephemeral().unwrap().scope("tenant", "session");
        let mut token = Vec::new();
        assert!(scope.mint(Category::Email, EMAIL.as_bytes(), &mut token));
        let marking = Profile { media: Media::Mark, ..Profile::default() };
        Bench {
            wire: Arc::new(Wire::new(&Profile::default()).unwrap()),
            marking: Arc::new(Wire::new(&marking).unwrap()),
            scope,
            token: String::from_utf8(token).unwrap(),
            key: format!("sk_live_{}", "4eC39HqLyjWDarjtT1zdp7dc"),
        }
    }

    fn read(&self, wire: &Arc<Wire>, row: &Row, value: &Value) -> Read {
        let whole = |redacted: Redacted| (String::from_utf8(redacted.body).unwrap(), redacted.unread);
        let body = |value: &Value| body(&row.path, row.kind.as_deref(), value).to_string();
        match row.direction {
            Direction::Request => wire.request(row.route, body(value).as_bytes(), &self.scope).map(whole),
            Direction::Answer => {
                wire.answer(row.route, self.scope.clone()).finish(body(value).as_bytes()).map(whole)
            }
            Direction::Streamed => {
                let (mut events, mut out) = (wire.events(row.route, self.scope.clone()), Vec::new());
                for piece in pieces(value, row.is_split) {
                    events.push(format!("data: {}\n\n", body(&piece)).as_bytes(), &mut out)?;
                }
                events.finish(&mut out)?;
                Ok((joined(row, &String::from_utf8(out).unwrap()), events.unread().to_vec()))
            }
        }
    }

    fn check(&self, row: &Row) {
        let read = |value: &Value| self.read(&self.wire, row, value);
        let out = |value: &Value| read(value).unwrap_or_else(|refusal| panic!("{row:?}: {refusal}")).0;
        let invented = json!(format!("mail {EMAIL} now"));
        let token = json!(format!("mail {} now", self.token));
        let is_refused = |value: &Value, reason: Reason| match read(value) {
            Err(refusal) => assert_eq!(refusal.reason, reason, "{row:?}"),
            Ok((out, _)) => panic!("{row:?} passes {out}"),
        };
        let hides = |value: &Value| {
            let out = out(value);
            assert!(!out.contains("jenny") && !out.contains(EMAIL), "{row:?}: {out}");
            out
        };
        match row.outcome.as_str() {
            "masked" => assert!(hides(&invented).contains("obl_"), "{row:?}"),
            "restored" => {
                assert!(hides(&invented).contains('['), "{row:?}");
                let out = out(&token);
                assert!(out.contains(EMAIL) && !out.contains("obl_"), "{row:?}: {out}");
            }
            "kept" => {
                assert!(hides(&invented).contains('['), "{row:?}");
                assert!(hides(&token).contains(&self.token), "{row:?}");
            }
            "exempt" => {
                let value = json!("Jenny Rosen");
                assert!(out(&value).contains("Jenny Rosen"), "{row:?}");
                assert!(!out(&json!(self.key)).contains(&self.key), "{row:?}");
            }
            "schema" => {
                let out = hides(&json!({"email": "the word", "note": EMAIL}));
                assert!(out.contains("the word"), "{row:?}: {out}");
            }
            "sealed" => {
                assert!(out(&token).contains(&self.token), "{row:?}");
                is_refused(&invented, Reason::Sealed);
            }
            "opaque" => {
                let (out, unread) = read(&json!("EqQBCgIYAhIkMDE=")).unwrap();
                assert!(out.contains("EqQBCgIYAhIkMDE="), "{row:?}: {out}");
                assert!(unread == ["encrypted"], "{row:?}");
                is_refused(&json!(self.key), Reason::Sealed);
            }
            "media" => {
                is_refused(&json!(PICTURE), Reason::Unsupported);
                let (out, unread) = self.read(&self.marking, row, &json!(PICTURE)).unwrap();
                assert!(out.contains(PICTURE) && unread == ["media"], "{row:?}: {out}");
            }
            "vector" => {
                let (out, unread) = read(&json!("AACAPwAAgL8=")).unwrap();
                assert!(out.contains("AACAPwAAgL8=") && unread == ["embedding"], "{row:?}");
            }
            "numbers" => {
                assert!(hides(&invented).contains("obl_"), "{row:?}");
                is_refused(&json!(7), Reason::Unsupported);
            }
            "refused" => {
                let refusal = read(&json!("x")).expect_err(&row.path);
                assert!(matches!(refusal.reason, Reason::HostedTool | Reason::Credential), "{row:?}");
            }
            "background" => {
                is_refused(&json!(true), Reason::Unsupported);
                assert!(out(&json!(false)).contains("false"), "{row:?}");
            }
            "dropped" => {
                assert!(!out(&json!([{"token": EMAIL}])).contains("token"), "{row:?}");
                assert!(out(&json!([])).contains("[]"), "{row:?}");
            }
            "fact" => assert!(out(&json!(true)).contains("true"), "{row:?}"),
            other => panic!("{other} is no outcome"),
        }
    }
}

/// A value in one piece, or in one for each of its characters.
fn pieces(value: &Value, is_split: bool) -> Vec<Value> {
    match value.as_str().filter(|_| is_split) {
        Some(text) => text.chars().map(|sign| json!(sign.to_string())).collect(),
        None => vec![value.clone()],
    }
}

/// What stands at the row's path in all events, joined; all of the stream for what is no text there.
fn joined(row: &Row, stream: &str) -> String {
    let pointer = row.path.replace('*', "0");
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events.map(|data| serde_json::from_str(data).unwrap()).collect();
    let text_at = |event: &Value| {
        // A lane goes on in deltas, wherever it began.
        let own =
            event.pointer(&pointer).or_else(|| event.pointer(&pointer.replace("/content_block", "/delta")));
        own.and_then(Value::as_str).map(str::to_owned)
    };
    let texts: Vec<String> = events.iter().filter_map(text_at).collect();
    if texts.is_empty() { stream.to_owned() } else { texts.concat() }
}

#[test]
fn every_position_is_what_the_matrix_says() {
    let bench = Bench::new();
    let rows = rows();
    let is_wrong = |row: &&Row| catch_unwind(AssertUnwindSafe(|| bench.check(row))).is_err();
    let wrong: Vec<&Row> = rows.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rows.len() > 900, "{} rows are too few", rows.len());
}

#[test]
fn every_path_of_the_tables_stands_in_the_matrix() {
    let rows = rows();
    let has = |route: Route, direction: Direction, path: &str| {
        rows.iter().any(|row| {
            let (row_path, path) = (row.path.split('/'), path.split('/'));
            row.route == route
                && row.direction == direction
                && row_path.clone().count() == path.clone().count()
                && row_path.zip(path).all(|(row, own)| row == own || own == "*")
        })
    };
    let mut expected: Vec<(Route, Direction, &Positions)> = Vec::new();
    for route in Route::ALL {
        expected.push((route, Direction::Request, Positions::of_request(route)));
        expected.push((route, Direction::Answer, Positions::of_answer(route)));
    }
    let streamed = [Route::ChatCompletions, Route::Responses, Route::Messages];
    expected.extend(
        streamed
            .into_iter()
            .zip(Positions::of_events())
            .map(|(route, positions)| (route, Direction::Streamed, positions)),
    );
    for (route, direction, positions) in expected {
        for (path, said) in positions.all() {
            // Names that `*` does not mean are no positions of their own.
            let is_position = said != Said::Marked(Mark::Plain);
            assert!(
                !is_position || has(route, direction, &path),
                "{route:?} {direction:?} {path} is missing"
            );
        }
    }
}
