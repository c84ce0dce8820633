//! Understands keepalived.conf: bytes to a tree with spans, one keyword table, `Config`, findings, and the changes
//! between two configurations. No I/O except through a `Source`.
#![forbid(unsafe_code)]

pub mod model;
