//! Understands keepalived.conf: bytes to a tree with spans, one keyword table, `Config`, findings, and the changes
//! between two configurations. No I/O except through a `Source`.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod check;
pub mod cluster;
mod command;
pub mod dump;
pub mod explain;
pub mod facts;
pub mod finding;
pub mod keywords;
mod load;
pub mod model;
pub mod plan;
mod secret;
pub mod source;
pub mod span;
pub mod syntax;
mod value;

pub use dump::{dump, dump_on};
pub use facts::{AnyInterface, Facts, InterfaceFacts, Program, RouteName};
pub use finding::{
    Class, Finding, Severity, Style, exit_status, fatal, fatal_without_routers, render, render_in,
    render_without_secrets,
};
pub use load::{Loaded, load, load_with};
pub use plan::{Change, InstanceKey, Plan, Refusal, plan};
pub use source::{MemorySource, Source, SourceError, expand_braces};
pub use syntax::{Options, expand, format};
