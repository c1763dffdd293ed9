//! What a request says of itself, and what may not be said.

use crate::index::{Index, Shape};
use crate::positions::Mark;
use crate::profile::Media;
use crate::read::{Side, text_of};
use crate::refusal::{Reason, Refusal};
use crate::route::Route;
use crate::wire::{Facts, Wire, split_mark};

/// How long a model's name may be; published ones have fewer than 100 characters.
const MODEL_BYTES_MAX: usize = 256;

/// The facts of a request, and the index of its body if it has one.
pub(crate) fn admit(wire: &Wire, route: Route, body: &[u8]) -> Result<(Facts, Option<Index<Mark>>), Refusal> {
    let (_, doc) = split_mark(body);
    if !route.has_body() {
        let refusal = || refuse(Reason::Malformed, "this request has no body: send none");
        return if doc.is_empty() { Ok((Facts::default(), None)) } else { Err(refusal()) };
    }
    if doc.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(refuse(
            Reason::Malformed,
            "the request is no JSON object: send one JSON object in UTF-8",
        ));
    }
    let index = Index::read(&wire.request_reader(route).table, &wire.lex, doc)
        .map_err(|unreadable| Side::Request.unreadable(unreadable))?;
    check(doc, &index)?;
    if wire.media == Media::Block
        && index.items.iter().any(|item| item.mark == Mark::Media && crate::read::is_media(doc, &index, item))
    {
        return Err(Side::Request.media());
    }
    Ok((facts(route, doc, &index)?, Some(index)))
}

fn refuse(reason: Reason, message: &str) -> Refusal {
    Refusal::of_request(reason, message)
}

/// Refuses what goes where nobody looks: tool servers and credentials for them, text as numbers, answers that are
/// fetched elsewhere.
fn check(doc: &[u8], index: &Index<Mark>) -> Result<(), Refusal> {
    let said = |mark: Mark| {
        let items = index.items.iter().filter(move |item| item.mark == mark);
        items.filter(|item| !matches!(&doc[item.span.clone()], b"null" | b"[]" | b"{}" | b"\"\""))
    };
    if said(Mark::Credential).next().is_some() {
        return Err(refuse(
            Reason::Credential,
            "the request hands a credential for a tool server to the provider: leave it out",
        ));
    }
    let is_hosted = |text: &[u8]| text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"mcp"));
    let mut tools = index.items.iter().filter(|item| item.mark == Mark::ToolType);
    if said(Mark::Server).chain(said(Mark::Servers)).next().is_some()
        || tools.any(|item| text_of(doc, item).is_some_and(|text| is_hosted(&text)))
    {
        return Err(refuse(
            Reason::HostedTool,
            "the request has the provider call a tool server, past this proxy: offer its tools as functions",
        ));
    }
    if index.items.iter().any(|item| item.mark == Mark::Vocabulary && item.shape == Shape::Number) {
        return Err(refuse(
            Reason::Unsupported,
            "the input is a list of numbers for tokens, which cannot be looked through: send text",
        ));
    }
    if said(Mark::Background).any(|item| doc[item.span.clone()] != *b"false") {
        return Err(refuse(
            Reason::Unsupported,
            "background answers are fetched by requests that are not understood: leave `background` out",
        ));
    }
    Ok(())
}

fn facts(route: Route, doc: &[u8], index: &Index<Mark>) -> Result<Facts, Refusal> {
    let mut facts = Facts { continues: route == Route::Responses, ..Facts::default() };
    for item in &index.items {
        let value = &doc[item.span.clone()];
        match item.mark {
            Mark::Model => {
                let text =
                    text_of(doc, item).filter(|text| !text.is_empty() && text.len() <= MODEL_BYTES_MAX);
                let model = text.and_then(|text| String::from_utf8(text).ok());
                let refusal = || refuse(Reason::Malformed, "`model` is no name of a model: send a string");
                facts.model = Some(model.ok_or_else(refusal)?);
            }
            Mark::Stream => facts.streamed = value == b"true",
            Mark::Store if route == Route::Responses => facts.continues &= value != b"false",
            Mark::Store => facts.continues |= value == b"true",
            _ => {}
        }
    }
    let is_said = |value: &[u8]| !matches!(value, b"null" | b"\"\"");
    let mut earlier = index.items.iter().filter(|item| item.mark == Mark::Continues);
    facts.continues |= earlier.any(|item| is_said(&doc[item.span.clone()]));
    Ok(facts)
}
