//! `keepalived_fuzz::bfd` under libFuzzer; see README.md.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keepalived_fuzz::bfd(data));
