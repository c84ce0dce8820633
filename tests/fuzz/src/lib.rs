//! Fuzz targets and their smoke run.
//!
//! Each target is a function of octets that must come back, whatever they are. `cargo test -p keepalived-fuzz` throws a
//! fixed number of mutated inputs at each; README.md says how to let libFuzzer do it, guided by coverage.
#![forbid(unsafe_code)]

mod advert;
mod bfd;
mod configuration;
pub mod mutation;

pub use advert::{advert, advert_input, ipv4};
pub use bfd::{bfd, bfd_input};
pub use configuration::{configuration, expansion, layout};
