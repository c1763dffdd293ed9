//! Answers of providers that come as server-sent events.

use obelus_vault::Vault;
use obelus_wire::{Profile, Route, Wire};
use std::error::Error;
use std::sync::Arc;

/// Reads a stream whole, in pieces of one byte, and in pieces as a case cuts it: all must come to the same.
pub(crate) fn run(input: &[u8], chunk_sizes: &[usize]) -> Result<(&'static str, Vec<u8>), Box<dyn Error>> {
    let wire = Arc::new(Wire::new(&Profile::default())?);
    let vault = Vault::ephemeral()?;
    let read = |sizes: &[usize]| {
        let (mut events, mut out) = (wire.events(route(input), vault.scope("a", "s")), Vec::new());
        let (mut at, mut sizes) = (0, sizes.iter().cycle());
        while at < input.len() {
            let end = input.len().min(at + sizes.next().copied().unwrap_or(input.len()).max(1));
            if let Err(refusal) = events.push(&input[at..end], &mut out) {
                events.fail(&refusal, "request-1", &mut out);
                return ("rejected", out);
            }
            at = end;
        }
        match events.finish(&mut out) {
            Ok(()) => ("forwarded", out),
            Err(refusal) => {
                events.fail(&refusal, "request-1", &mut out);
                ("rejected", out)
            }
        }
    };
    let whole = read(&[]);
    if read(&[1]) != whole || read(&[7, 61]) != whole || !chunk_sizes.is_empty() && read(chunk_sizes) != whole
    {
        return Ok(("error", b"the output depends on how the input was cut".to_vec()));
    }
    Ok(whole)
}

/// Whose events they are.
fn route(input: &[u8]) -> Route {
    let has = |text: &str| input.windows(text.len()).any(|piece| piece == text.as_bytes());
    if has("\"type\":\"response.") {
        Route::Responses
    } else if has("\"type\":\"content_block") || has("\"type\":\"message_start") {
        Route::Messages
    } else {
        Route::ChatCompletions
    }
}
