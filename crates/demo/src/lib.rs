#![forbid(unsafe_code)]
//! A provider that is none: answers as OpenAI and Anthropic do, from a script, on loopback.
