#![no_main]
//! Runs `obelus_tests::fuzz::lexer`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| obelus_tests::fuzz::lexer(data));
