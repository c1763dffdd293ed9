//! Calls of Stripe's REST interface.

use crate::arguments::{Argument, Arguments, is_segment, read_form, read_object, read_parts};
use crate::catalogue::{Catalogue, Entry};
use crate::denied::Denied;
use crate::operation::{Connection, Operation};
use std::fmt;

/// The argument that is a file, of operations that take one.
const FILE: &str = "file";

/// One HTTP request, as it came.
#[derive(Clone, Copy)]
pub struct RestCall<'a> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// The path without the query, as it stood in the request line, such as `/v1/refunds`.
    pub path: &'a str,
    /// What stood after the question mark.
    pub query: Option<&'a str>,
    /// The body.
    pub body: Body<'a>,
    /// What the connection says.
    pub connection: Connection<'a>,
}

/// The body of a request, by its content type.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// There is none.
    Empty,
    /// `application/x-www-form-urlencoded`.
    Form(&'a [u8]),
    /// `application/json`.
    Json(&'a [u8]),
    /// `multipart/form-data` and its boundary. Only where files are sent.
    Parts(&'a [u8], &'a str),
}

impl fmt::Debug for RestCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestCall").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl Catalogue {
    /// What a REST request means.
    ///
    /// Path, query and body are one set of arguments, so that nothing may stand in two of them. A request that posts has
    /// no query: whether a server reads one beside a body is its own affair, and an amount that it leaves unread
    /// would be the whole.
    ///
    /// # Errors
    /// The request is unknown, or could be read in two ways.
    pub fn rest(&self, call: &RestCall<'_>) -> Result<Operation, Denied> {
        let segments = segments(call.path)?;
        let (entry, parameters) = self.route(call.method, &segments).ok_or(Denied::UnknownOperation)?;
        if call.method == "POST" && call.query.is_some_and(|query| !query.is_empty()) {
            return Err(Denied::Unreadable("query", "a request that posts has none"));
        }
        let mut arguments = read_body(call, entry)?;
        let query =
            call.query.map_or(Ok(Arguments::default()), |query| read_form(query.as_bytes(), "query"))?;
        let parameters =
            parameters.into_iter().map(|(name, text)| (name.to_owned(), Argument::Text(text.to_owned())));
        for (name, argument) in query.0.into_iter().chain(parameters) {
            arguments.insert(&name, argument).map_err(|_taken| Denied::Duplicate("path, query and body"))?;
        }
        Operation::new(self, entry, arguments, call.connection)
    }
}

/// The segments of a path that has one reading.
fn segments(path: &str) -> Result<Vec<&str>, Denied> {
    let rest = path.strip_prefix('/').ok_or(Denied::Path("it does not begin with a slash"))?;
    let segments: Vec<&str> = rest.split('/').collect();
    for segment in &segments {
        if segment.is_empty() {
            return Err(Denied::Path("an empty segment: two slashes, or one at the end"));
        }
        if segment.contains('%') {
            return Err(Denied::Path("a percent sign, which could hide a slash"));
        }
        if !is_segment(segment) {
            return Err(Denied::Path("a segment of dots, or a character that paths of the API do not have"));
        }
    }
    Ok(segments)
}

fn read_body(call: &RestCall<'_>, entry: &Entry) -> Result<Arguments, Denied> {
    let is_write = call.method == "POST";
    let is_v2 = entry.path.starts_with("/v2/");
    // Elsewhere a part could be a file here and an argument there.
    let takes_files = entry.base.as_deref() == Some("files");
    match call.body {
        Body::Empty | Body::Form([]) | Body::Json([]) => Ok(Arguments::default()),
        _ if call.method == "GET" => Err(Denied::Unreadable("body", "a request that reads has none")),
        Body::Form(form) if !is_v2 => {
            let arguments = read_form(form, "body")?;
            // What is said of a file must be true of one that is sent.
            match takes_files && is_write && arguments.named(FILE).is_some() {
                true => Err(Denied::Unreadable("body", "a file, which is sent as multipart/form-data")),
                false => Ok(arguments),
            }
        }
        Body::Json(json) if is_v2 && is_write => read_object(json, "body"),
        Body::Parts(body, boundary) if takes_files && is_write => read_parts(body, boundary, FILE),
        _ => Err(Denied::Unreadable(
            "body",
            "paths under /v1 take forms, those under /v2 JSON, and /v1/files parts",
        )),
    }
}
