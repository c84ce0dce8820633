//! Files that trackers follow, read by a thread of their own ([`super::lookout`]): their file system may hang.

use std::collections::BTreeMap;

use keepalived_config::model::TrackFile;
use keepalived_core::time::Instant;
use keepalived_kernel::reactor::{Reactor, Token};

use super::lookout::Lookout;
use crate::track_files::TrackFiles;

/// Where changes of files announce themselves.
const CHANGES: Token = Token(2);

/// Files, as their thread sees them.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: TrackFiles,
    /// Numbers have changed since they were told last.
    is_new: bool,
}

impl Lookout for Files {
    type Wanted = Vec<TrackFile>;
    /// All numbers that are known, by the names of the files.
    type News = BTreeMap<String, i64>;
    const NAME: &'static str = "files";

    fn configure(&mut self, _: Instant, wanted: Vec<TrackFile>, reactor: &mut Reactor) {
        self.files.configure(wanted.iter(), reactor, CHANGES);
        self.is_new = true;
    }

    fn turn(&mut self, now: Instant, _: &mut Reactor) -> (Option<Self::News>, Option<Instant>) {
        self.is_new |= self.files.catch_up(now);
        let numbers = || self.files.numbers().map(|(name, number)| (name.to_owned(), number)).collect();
        let news = self.is_new.then(numbers);
        self.is_new = false;
        (news, self.files.next_at(now))
    }

    fn on_ready(&mut self, token: Token, now: Instant) {
        if token == CHANGES {
            self.is_new |= self.files.on_ready(now);
        }
    }
}

/// The numbers of the files that are followed, as they were told.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By name: the path, and the number if it is known.
    known: BTreeMap<String, (String, Option<i64>)>,
}

impl Numbers {
    /// Follows `files` from now on. Of those that are followed already the numbers stay. Returns whether all are known.
    pub(super) fn configure(&mut self, files: &[TrackFile]) -> bool {
        let mut before = std::mem::take(&mut self.known);
        for file in files {
            let number =
                before.remove(&file.name).filter(|(path, _)| *path == file.path).and_then(|(_, number)| number);
            self.known.insert(file.name.clone(), (file.path.clone(), number));
        }
        self.known.values().all(|(_, number)| number.is_some())
    }

    /// Takes what was told.
    pub(super) fn told(&mut self, numbers: BTreeMap<String, i64>) {
        for (name, number) in numbers {
            if let Some((_, known)) = self.known.get_mut(&name) {
                *known = Some(number);
            }
        }
    }

    /// All that are known.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, i64)> {
        self.known.iter().filter_map(|(name, (_, number))| Some((name.as_str(), (*number)?)))
    }

    /// Paths of files without a known content.
    pub(super) fn unread(&self) -> impl Iterator<Item = &str> {
        self.known.values().filter(|(_, number)| number.is_none()).map(|(path, _)| path.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_while_the_file_is_the_same() {
        let files = |text: &str| crate::configuration::from_text(text).files;
        let file = |name: &str, path: &str| format!("track_file {name} {{\n file {path}\n}}\n");
        let told = |number| BTreeMap::from([("a".to_owned(), number), ("gone".to_owned(), 9)]);
        let mut numbers = Numbers::default();
        assert!(!numbers.configure(&files(&file("a", "/a"))), "nothing was told");
        assert_eq!(numbers.unread().collect::<Vec<_>>(), ["/a"]);
        numbers.told(told(7));
        assert!(numbers.configure(&files(&file("a", "/a"))));
        assert_eq!(numbers.all().collect::<Vec<_>>(), [("a", 7)]);
        assert!(!numbers.configure(&files(&(file("a", "/other") + &file("b", "/b")))), "another file of that name");
        assert_eq!(numbers.all().count(), 0);
    }
}
