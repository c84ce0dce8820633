//! Where configuration text comes from. The daemon implements `Source` on the file system; tests use `MemorySource`.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Gives files to the loader.
pub trait Source {
    /// The whole of the file at `path`.
    ///
    /// # Errors
    /// Opens readable, regular files without execute permission only, as keepalived does.
    fn read(&self, path: &Path) -> Result<Vec<u8>, SourceError>;

    /// What one shell pattern without braces (`{a,b}` is expanded before) stands for: sorted paths, each of which
    /// exists. A pattern without wildcard stands for itself if it exists. Relative ones start at `base`.
    fn glob(&self, pattern: &str, base: &Path) -> Vec<PathBuf>;

    /// The directory of the file `path`, from the root and without links: `${_PWD}`.
    fn directory(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or(Path::new("/")).to_owned()
    }

    /// The environment variable `name`, for `${_ENV NAME}`; there is none unless the source knows better.
    fn variable(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

/// Why a file is not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceError {
    /// There is none.
    NotFound,
    /// It is a directory.
    Directory,
    /// It is neither a regular file nor a directory.
    NotRegular,
    /// A user may execute it; keepalived takes that for a mistake.
    Executable,
    /// We may not read it.
    Denied,
    /// Larger than the source is willing to read.
    TooLarge,
    /// What the system said.
    Other(String),
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "it does not exist",
            Self::Directory => "it is a directory",
            Self::NotRegular => "it is not a regular file",
            Self::Executable => "it is executable; chmod a-x it",
            Self::Denied => "permission denied",
            Self::TooLarge => "it is too large for a configuration",
            Self::Other(reason) => reason,
        })
    }
}

/// How many patterns one pattern may expand to.
const MOST_ALTERNATIVES: usize = 1024;

/// Expands `{a,b}` as glibc's `GLOB_BRACE` does: leftmost first, nested ones too; `{}` and braces without partner stay.
pub fn expand_braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        match alternatives(&pattern) {
            Some(alternatives) if done.len().saturating_add(open.len()) < MOST_ALTERNATIVES => {
                open.extend(alternatives.into_iter().rev());
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// The alternatives of the first brace pair of `pattern`; `None` if it has none.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let mut start = 0;
    loop {
        let open = pattern.get(start..)?.find('{')?.checked_add(start)?;
        let inner = open.checked_add(1)?;
        if let Some((close, commas)) = matching_close(pattern, inner)
            && close > inner
        {
            let (before, after) = (pattern.get(..open)?, pattern.get(close.checked_add(1)?..)?);
            let mut from = inner;
            let mut found = Vec::new();
            for end in commas.into_iter().chain(std::iter::once(close)) {
                found.push(format!("{before}{}{after}", pattern.get(from..end)?));
                from = end.checked_add(1)?;
            }
            return Some(found);
        }
        start = inner;
    }
}

/// Where the brace opened before `from` closes, and its commas.
fn matching_close(pattern: &str, from: usize) -> Option<(usize, Vec<usize>)> {
    let mut depth = 0_usize;
    let mut commas = Vec::new();
    for (at, octet) in pattern.bytes().enumerate().skip(from) {
        match octet {
            b'{' => depth = depth.saturating_add(1),
            b'}' if depth == 0 => return Some((at, commas)),
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => commas.push(at),
            _ => {}
        }
    }
    None
}

/// Whether `pattern` has a wildcard.
pub fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Files held in memory, for tests and for text that has no file.
#[derive(Clone, Default, Debug)]
pub struct MemorySource {
    files: BTreeMap<PathBuf, Result<Vec<u8>, SourceError>>,
    variables: BTreeMap<String, Vec<u8>>,
}

impl MemorySource {
    /// A source with one file.
    pub fn one(path: &str, text: impl Into<Vec<u8>>) -> Self {
        Self::default().with(path, text)
    }

    /// The same with a further file.
    #[must_use]
    pub fn with(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), Ok(text.into()));
        self
    }

    /// The same with something at `path` that cannot be read.
    #[must_use]
    pub fn with_error(mut self, path: &str, error: SourceError) -> Self {
        self.files.insert(path.into(), Err(error));
        self
    }

    /// The same with an environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

impl Source for MemorySource {
    fn read(&self, path: &Path) -> Result<Vec<u8>, SourceError> {
        self.files.get(path).cloned().unwrap_or(Err(SourceError::NotFound))
    }

    fn glob(&self, pattern: &str, base: &Path) -> Vec<PathBuf> {
        let pattern = normal(&base.join(pattern));
        self.files.keys().filter(|path| path_matches(&pattern, path)).cloned().collect()
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.variables.get(name).cloned()
    }
}

/// `path` without `.` and with `..` resolved by name.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

fn path_matches(pattern: &Path, path: &Path) -> bool {
    pattern.components().count() == path.components().count()
        && pattern.components().zip(path.components()).all(|(pattern, name)| {
            name_matches(pattern.as_os_str().as_encoded_bytes(), name.as_os_str().as_encoded_bytes())
        })
}

/// `*` and `?` only; the file system's source knows more.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|from| name_matches(rest, name.get(from..).unwrap_or_default())),
        Some((wanted, rest)) => name
            .split_first()
            .is_some_and(|(first, name)| (*wanted == b'?' || wanted == first) && name_matches(rest, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_expand_in_order() {
        assert_eq!(expand_braces("a{b,c}d{e,f}"), ["abde", "abdf", "acde", "acdf"]);
        assert_eq!(expand_braces("{a,b{c,d}}"), ["a", "bc", "bd"]);
        assert_eq!(expand_braces("a{}b{,x}"), ["a{}b", "a{}bx"]);
        assert_eq!(expand_braces("a{b"), ["a{b"]);
        assert!(expand_braces(&"{a,b}".repeat(40)).len() <= MOST_ALTERNATIVES + 1);
    }

    #[test]
    fn memory_globs_like_a_shell() {
        let source = MemorySource::one("/etc/k/a.conf", "").with("/etc/k/b.conf", "").with("/etc/k/d/c.conf", "");
        let glob = |pattern: &str| source.glob(pattern, Path::new("/etc/k"));
        assert_eq!(glob("*.conf"), [PathBuf::from("/etc/k/a.conf"), PathBuf::from("/etc/k/b.conf")]);
        assert_eq!(glob("/etc/k/d/../a.conf"), [PathBuf::from("/etc/k/a.conf")]);
        assert!(glob("x.conf").is_empty());
    }
}
