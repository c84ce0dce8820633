//! The keepalived binary.

fn main() {}
