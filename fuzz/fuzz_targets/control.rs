#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    minibroker_fuzz::control::run(data);
});
