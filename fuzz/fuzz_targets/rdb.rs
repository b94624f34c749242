#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| minibroker_fuzz::files::check(data));
