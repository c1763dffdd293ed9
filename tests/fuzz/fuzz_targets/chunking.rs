#![no_main]
//! Runs `obelus_tests::fuzz::chunking`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| obelus_tests::fuzz::chunking(data));
