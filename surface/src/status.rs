//! How the daemon is, for people and for programs: what is wrong in sentences, the table of `keepalivedctl status`, its JSON, causes and
//! events. All of it comes from a [`Scene`].

use std::time::SystemTime;

use keepalived_state::{Latest, Snapshot};

mod document;
mod events;
mod problems;
mod show;
mod table;
mod watch;
mod why;
mod words;

pub use document::{VERSION, document, part_document, why_document};
pub use events::{event, event_document, events, is_about};
pub use problems::{Problem, Severity, problems, worst};
pub use show::show;
pub use table::table;
pub use watch::{Size, watch};
pub use why::{is_named, why};

/// What a surface tells about, and when.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// How things are.
    pub snapshot: &'a Snapshot,
    /// Since when, and why.
    pub latest: &'a Latest,
    /// Now.
    pub now: SystemTime,
    /// How far the clocks of this machine are ahead of UTC, in seconds.
    pub ahead: i64,
}

/// How a text is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// With the colours of a terminal.
    pub colour: bool,
    /// Everything, also what is well and many.
    pub all: bool,
}
