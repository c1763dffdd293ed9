#![forbid(unsafe_code)]
//! A provider that is none: answers as OpenAI and Anthropic do, from a script, on loopback.
//!
//! The script is the text of the request, so that a test is plain data. Without directives the answer quotes the
//! text (`You wrote: …`, or `The tool said: …` where the last thing said is a tool's result). Directives stand in
//! the text, in double brackets, and are not quoted:
//!
//! | directive | what happens |
//! | --- | --- |
//! | `[[say:TEXT]]` | the answer is this text |
//! | `[[tool:NAME ARGUMENTS]]` | a tool is called; several directives are parallel calls; text is said only with `say` or `invent` |
//! | `[[invent:card]]`, `[[invent:email]]` | the answer ends with a test value that the request does not hold |
//! | `[[choices:N]]` | so many choices, as the member `n` asks for (chat completions) |
//! | `[[thinking]]` | a signed thinking block, a reasoning item, `reasoning_content` |
//! | `[[refusal]]` | the text is a refusal |
//! | `[[logprobs]]` | log-probabilities repeat the text |
//! | `[[delta:N]]` | deltas of N characters |
//! | `[[bytes:N]]` | events leave N bytes at a time, wherever that cuts |
//! | `[[slow:MS]]` | a pause before each event |
//! | `[[hold:N]]` | after N deltas the stream waits for [`Provider::release`] |
//! | `[[cut]]`, `[[reset]]`, `[[fail]]` | in the middle the stream ends, the connection breaks, an error event comes |
//! | `[[error]]`, `[[error:STATUS]]` | an error, 500 or the given status, whose message quotes the text |
//!
//! In `say` and in arguments, `$1` is the first word of the text that is a token or an e-mail address, `$2` the
//! second, and so on; what there is not stays as it is.
//!
//! Every request is recorded ([`Provider::seen`]). Signatures and sealed reasoning that the provider gave out are
//! verified when they come back, as the real ones do.
//!
//! ```
//! use obelus_demo::{Options, Provider};
//! let provider = Provider::start(Options::default())?;
//! assert!(provider.url().starts_with("http://127.0.0.1:"));
//! assert!(provider.seen().is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

mod answer;
mod chat;
mod events;
mod failure;
mod json;
mod messages;
mod other;
mod pace;
mod provider;
mod record;
mod request;
mod responses;
mod script;
mod seal;
mod server;

pub use provider::{Options, Provider};
pub use record::Recorded;
