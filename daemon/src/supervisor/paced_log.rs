//! Long texts for the log, in pieces: the log drops lines that come faster than it can write.

use std::collections::VecDeque;
use std::time::Duration;

use keepalived_core::time::Instant;

/// Lines at a time: fewer than the log's queue and syslog's socket hold.
const PIECE: usize = 256;

/// Pause between two pieces.
const PAUSE: Duration = Duration::from_millis(10);

/// Lines that wait for the log.
#[derive(Debug, Default)]
pub(super) struct PacedLog {
    lines: VecDeque<String>,
    next_at: Option<Instant>,
}

impl PacedLog {
    /// Adds `text`. Its first piece is due at once.
    pub(super) fn add(&mut self, text: &str, now: Instant) {
        self.lines.extend(text.lines().map(str::to_owned));
        self.next_at.get_or_insert(now);
    }

    /// When [`Self::due`] has lines.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// The lines to log now.
    pub(super) fn due(&mut self, now: Instant) -> impl Iterator<Item = String> + '_ {
        let is_due = self.next_at.is_some_and(|at| at <= now);
        let count = if is_due { self.lines.len().min(PIECE) } else { 0 };
        if is_due {
            self.next_at = (self.lines.len() > count).then(|| now + PAUSE);
        }
        self.lines.drain(..count)
    }

    /// All lines that are left, without a pause: the daemon ends.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = String> + '_ {
        self.next_at = None;
        self.lines.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_told_in_pieces_without_loss() {
        let text: String = (0..1_000).map(|number| format!("{number}\n")).collect();
        let mut paced_log = PacedLog::default();
        let mut now = Instant::ZERO;
        paced_log.add(&text, now);
        let mut told = Vec::new();
        while let Some(at) = paced_log.next_at() {
            now = now.max(at);
            let before = told.len();
            told.extend(paced_log.due(now));
            assert!(told.len() - before <= PIECE);
            assert_eq!(paced_log.due(now).count(), 0, "the next piece waits");
        }
        assert_eq!(told.join("\n") + "\n", text);
    }
}
