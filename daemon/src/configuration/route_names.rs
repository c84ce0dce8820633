//! Names of iproute2's files for numbers in routes and rules. Each file is read once: a configuration may have many names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use keepalived_config::facts::{IprouteDirectories, RouteName};

/// Where this machine's own names are, unless `iproute_etc_dir` says otherwise.
const OWN: &str = "/etc/iproute2";
/// Where those of the distribution are, unless `iproute_usr_dir` says otherwise.
const DISTRIBUTED: [&str; 2] = ["/usr/share/iproute2", "/usr/lib/iproute2"];

/// The files that have been read.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteNames(RefCell<HashMap<Names, HashMap<String, u32>>>);

/// Names of a kind, in these directories.
type Names = (RouteName, Vec<PathBuf>);

/// What is asked of the file system.
pub(super) trait Directories {
    /// What is in a file.
    fn read(&self, path: &Path) -> Option<String>;
    /// The files in a directory.
    fn list(&self, path: &Path) -> Vec<PathBuf>;
}

impl RouteNames {
    /// The number of `name`.
    pub(super) fn number(
        &self,
        (kind, name): (RouteName, &str),
        directories: IprouteDirectories<'_>,
        files: &impl Directories,
    ) -> Option<u32> {
        let distributed = directories.usr.map_or(DISTRIBUTED.to_vec(), |usr| vec![usr]);
        let own = directories.etc.unwrap_or(OWN);
        let places: Vec<PathBuf> = std::iter::once(own).chain(distributed).map(PathBuf::from).collect();
        let mut known = self.0.borrow_mut();
        let numbers = known.entry((kind, places)).or_insert_with_key(|(_, places)| read(kind, places, files));
        numbers.get(name).copied()
    }
}

/// Of two lines, files or directories with one name the first counts.
fn read(kind: RouteName, places: &[PathBuf], files: &impl Directories) -> HashMap<String, u32> {
    let mut numbers = HashMap::new();
    for place in places {
        let mut more = files.list(&place.join(format!("{}.d", kind.file())));
        more.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
        more.sort();
        let all = std::iter::once(place.join(kind.file())).chain(more);
        for text in all.filter_map(|path| files.read(&path)) {
            for (name, number) in text.lines().filter_map(named) {
                numbers.entry(name.to_owned()).or_insert(number);
            }
        }
    }
    numbers
}

/// A number and a name in each line, `#` begins a comment.
fn named(line: &str) -> Option<(&str, u32)> {
    let mut words = line.split('#').next()?.split_whitespace();
    let (number, name) = (words.next()?, words.next()?);
    let number = match number.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    Some((name, number))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Files {
        reads: Cell<usize>,
    }

    impl Directories for Files {
        fn read(&self, path: &Path) -> Option<String> {
            self.reads.set(self.reads.get() + 1);
            let text = match path.to_str()? {
                "/etc/iproute2/rt_tables" => "# tables\n7 web # ours\n0x10 hex\n8 web\nx none\n",
                "/usr/share/iproute2/rt_tables" => "9 web\n255 local\n",
                "/etc/iproute2/rt_tables.d/a.conf" => "10 web\n11 added\n",
                "/opt/etc/rt_tables" => "20 web\n",
                "/opt/usr/rt_tables" => "21 web\n22 distributed\n",
                _ => return None,
            };
            Some(text.to_owned())
        }

        fn list(&self, path: &Path) -> Vec<PathBuf> {
            let here = path == Path::new("/etc/iproute2/rt_tables.d");
            ["a.conf", "b.txt"].into_iter().filter(|_| here).map(|name| path.join(name)).collect()
        }
    }

    #[test]
    fn the_first_file_and_the_first_line_count_and_each_file_is_read_once() {
        let (names, files) = (RouteNames::default(), Files::default());
        let number = |kind, name| names.number((kind, name), IprouteDirectories::default(), &files);
        for (name, expected) in [
            ("web", Some(7)),
            ("hex", Some(16)),
            ("local", Some(255)),
            ("added", Some(11)),
            ("none", None),
            ("ours", None),
            ("other", None),
        ] {
            assert_eq!(number(RouteName::Table, name), expected, "{name}");
        }
        assert_eq!(files.reads.get(), 4, "three directories, and one file more");
        assert_eq!(number(RouteName::Protocol, "web"), None);
    }

    // keepalived 2.4.3: `iproute_etc_dir` and `iproute_usr_dir` each take the place of one directory
    #[test]
    fn names_may_be_in_other_directories() {
        let (names, files) = (RouteNames::default(), Files::default());
        for (etc, usr, web, distributed) in [
            (Some("/opt/etc"), None, 20, None),
            (None, Some("/opt/usr"), 7, Some(22)),
            (Some("/opt/none"), Some("/opt/usr"), 21, Some(22)),
        ] {
            let number = |name| names.number((RouteName::Table, name), IprouteDirectories { etc, usr }, &files);
            assert_eq!((number("web"), number("distributed")), (Some(web), distributed), "{etc:?} {usr:?}");
        }
    }
}
