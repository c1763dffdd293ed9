#![no_main]
//! Runs `obelus_tests::fuzz::rule_compile`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| obelus_tests::fuzz::rule_compile(data));
