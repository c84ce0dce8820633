//! What the log says of sessions. The words are keepalived's where it has them.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::bfd::{Change, SessionState};

use crate::log::About;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Report {
    /// A session has another state.
    Changed {
        /// Its name.
        name: String,
        /// From which to which.
        change: Change,
        /// Its detection time before.
        detection_time: Duration,
        /// So many changes before got no line.
        silently: u64,
    },
    /// A session has another detection time.
    DetectionTime {
        /// Its name.
        name: String,
        /// Now.
        now: Duration,
        /// Before.
        before: Duration,
    },
    /// A packet was discarded.
    Discarded {
        /// Who sent it.
        source: IpAddr,
        /// Why.
        why: String,
        /// So many were discarded before without a word.
        silently: u64,
    },
}

/// How important a report is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    /// Worth a look.
    Warning,
    /// As it should be.
    Info,
    /// For who looks closely.
    Detail,
}

impl Report {
    /// How important it is.
    pub(super) const fn level(&self) -> Level {
        match self {
            Self::Changed { change: Change { to: SessionState::Up, .. }, .. } | Self::DetectionTime { .. } => {
                Level::Info
            }
            Self::Changed { change: Change { from: SessionState::Up, .. }, .. } | Self::Discarded { .. } => {
                Level::Warning
            }
            Self::Changed { .. } => Level::Detail,
        }
    }
}

impl Report {
    /// What it is about and why, for lines in JSON.
    pub(super) fn about(&self) -> About {
        let (subject, cause) = match self {
            Self::Changed { name, change, .. } => (format!("session {name}"), Some(change.to_string())),
            Self::DetectionTime { name, .. } => (format!("session {name}"), None),
            Self::Discarded { source, why, .. } => (format!("neighbour {source}"), Some(why.clone())),
        };
        About { subject: Some(subject), cause }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { name, change, detection_time, silently } => {
                if let Some(silence) = change.silence {
                    let overdue = silence.saturating_sub(*detection_time).as_micros();
                    write!(f, "({name}) Expired after {} ms ({overdue} usec overdue); ", silence.as_millis())?;
                } else {
                    write!(f, "({name}) ")?;
                }
                write!(f, "Entering {} state", change.to)?;
                if change.to == SessionState::Down {
                    let (local, remote) = (change.diagnostic, change.remote_diagnostic);
                    write!(f, " (Local diagnostic - {local}, Remote diagnostic - {remote})")?;
                    if change.wanted_by_neighbor {
                        f.write_str("; its administrator wants so")?;
                    }
                }
                if *silently > 0 {
                    write!(f, "; {silently} changes before are not shown")?;
                }
                Ok(())
            }
            Self::DetectionTime { name, now, before } => {
                write!(f, "({name}) Detection time is {} us (was {} us)", now.as_micros(), before.as_micros())
            }
            Self::Discarded { source, why, silently } => {
                write!(f, "Discarding a BFD packet from {source}: {why}")?;
                if *silently > 0 {
                    write!(f, "; {silently} others were discarded before")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use keepalived_core::bfd::Diagnostic;

    use super::*;

    /// Lines of keepalived 2.4.3 (reference/observed/bfd.log), the first two of them in one.
    #[test]
    fn lines_are_those_of_keepalived() {
        let down = Change {
            from: SessionState::Up,
            to: SessionState::Down,
            diagnostic: Diagnostic::TIME_EXPIRED,
            remote_diagnostic: Diagnostic::NONE,
            wanted_by_neighbor: false,
            silence: Some(Duration::from_micros(180_067)),
        };
        let name = "B1".to_owned();
        let report = Report::Changed {
            name: name.clone(),
            change: down,
            detection_time: Duration::from_millis(180),
            silently: 0,
        };
        assert_eq!(
            report.to_string(),
            "(B1) Expired after 180 ms (67 usec overdue); Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)"
        );
        let up = Change { from: SessionState::Init, to: SessionState::Up, silence: None, ..down };
        let report = Report::Changed { name, change: up, detection_time: Duration::ZERO, silently: 7 };
        assert_eq!(
            (report.to_string().as_str(), report.level()),
            ("(B1) Entering Up state; 7 changes before are not shown", Level::Info)
        );
    }
}
