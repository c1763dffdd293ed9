#![no_main]
//! Runs `obelus_tests::fuzz::stream_vs_reference`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| obelus_tests::fuzz::stream_vs_reference(data));
