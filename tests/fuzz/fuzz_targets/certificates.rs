#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| laconic_fuzz::certificates(data));
