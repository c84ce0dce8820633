//! What a tracker is called, and what is known of it: for causes of transitions and for [`super::tracking`] alike.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is known of a tracker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum TrackerState {
    /// It has had no result.
    Initial,
    /// What it looks at is well.
    Up,
    /// It is not.
    Down,
    /// The number in a file.
    Number(i64),
}

impl fmt::Display for TrackerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initial => f.write_str("without result"),
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// What a tracker looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum TrackerKind {
    /// `track_interface`
    Interface,
    /// `vrrp_script`
    Script,
    /// `track_file`
    File,
    /// `vrrp_track_process`
    Process,
    /// `bfd_instance`
    Bfd,
    /// `vrrp_track_probe`
    Probe,
}

impl fmt::Display for TrackerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interface => "interface",
            Self::Script => "script",
            Self::File => "file",
            Self::Process => "process",
            Self::Bfd => "BFD session",
            Self::Probe => "probe",
        })
    }
}

/// What a tracker is called.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TrackerId {
    /// What it looks at.
    pub kind: TrackerKind,
    /// Its name in the configuration.
    pub name: String,
}

impl TrackerId {
    /// The tracker of this kind and name.
    pub fn new(kind: TrackerKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for TrackerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Why a tracker has its result.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Detail {
    /// There is nothing to add.
    #[default]
    Nothing,
    /// In words: how a program ended.
    Words(String),
    /// How many processes there are.
    Processes {
        /// So many.
        count: usize,
        /// The kernel tells of each that comes; else `/proc` is read for them every second.
        kernel_tells: bool,
    },
}

impl From<String> for Detail {
    fn from(words: String) -> Self {
        if words.is_empty() { Self::Nothing } else { Self::Words(words) }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Words(words) => f.write_str(words),
            Self::Processes { count: 1, .. } => f.write_str("1 process"),
            Self::Processes { count, .. } => write!(f, "{count} processes"),
        }
    }
}
