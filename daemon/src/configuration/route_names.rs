//! Names of iproute2's files for numbers in routes and rules. Each file is read once: a configuration may have many names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use keepalived_config::facts::RouteName;

/// Directories of iproute2's files; of two files of one name the first counts.
const DIRECTORIES: [&str; 3] = ["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"];

/// The files that have been read.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteNames(RefCell<HashMap<RouteName, HashMap<String, u32>>>);

impl RouteNames {
    /// The number of `name`. `read` reads a file.
    pub(super) fn number(&self, kind: RouteName, name: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u32> {
        let mut known = self.0.borrow_mut();
        let numbers = known.entry(kind).or_insert_with(|| {
            let paths = DIRECTORIES.map(|directory| Path::new(directory).join(kind.file()));
            let texts = paths.iter().filter_map(|path| read(path));
            let mut numbers = HashMap::new();
            for text in texts {
                for (name, number) in text.lines().filter_map(named) {
                    numbers.entry(name.to_owned()).or_insert(number);
                }
            }
            numbers
        });
        numbers.get(name).copied()
    }
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

    #[test]
    fn the_first_file_and_the_first_line_count_and_each_file_is_read_once() {
        let reads = Cell::new(0);
        let read = |path: &Path| {
            reads.set(reads.get() + 1);
            let text = match path.to_str()? {
                "/etc/iproute2/rt_tables" => "# tables\n7 web # ours\n0x10 hex\n8 web\nx none\n",
                "/usr/share/iproute2/rt_tables" => "9 web\n255 local\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let names = RouteNames::default();
        for (name, number) in
            [("web", Some(7)), ("hex", Some(16)), ("local", Some(255)), ("none", None), ("ours", None), ("other", None)]
        {
            assert_eq!(names.number(RouteName::Table, name, read), number, "{name}");
        }
        assert_eq!(reads.get(), DIRECTORIES.len());
        assert_eq!(names.number(RouteName::Protocol, "web", read), None);
    }
}
