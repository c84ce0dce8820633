//! The files that a daemon writes on a signal, as those who read keepalived's files find them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod exporter;
mod observed;
mod scene;
mod status;
