//! The timeline that a person reads.

use crate::clock::Moment;

/// Collects lines, or does not.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Keeps nothing, for speed.
    pub const fn off() -> Self {
        Self { lines: None }
    }

    /// Keeps everything.
    pub const fn on() -> Self {
        Self { lines: Some(Vec::new()) }
    }

    /// Adds a line.
    pub fn note(&mut self, at: Moment, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{at}  {}", line()));
        }
    }

    /// What was noted.
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
