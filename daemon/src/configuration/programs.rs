//! Whether a user can run a program, and whether users other than root could replace it.
//!
//! Modes decide, as with keepalived; access lists and capabilities of files do not count.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use keepalived_config::facts::{Owner, Program, Weakness, WeaknessKind};
use keepalived_kernel::process::{self, Account};

/// The `x` bits of owner, group and others.
const EXECUTE: [u32; 3] = [0o100, 0o010, 0o001];
/// The set-user-ID and set-group-ID bits.
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
/// In a directory with this bit, only the owner of a file can replace it.
const STICKY: u32 = 0o1000;

/// Whether `owner` can run `program`, and how safe it is.
pub(super) fn look(program: &str, owner: Owner<'_>) -> Program {
    account(owner).map_or(Program::Unknown, |runner| look_as(program, runner))
}

/// The same for an account.
pub(super) fn look_as(program: &str, runner: Account) -> Program {
    let path = match program.contains('/') {
        true => PathBuf::from(program),
        false => match search(program, runner) {
            Some(path) => path,
            None => return Program::Missing,
        },
    };
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Program::Unknown,
        Err(_) => return Program::Missing,
    };
    if let Some(closed) = target.ancestors().skip(1).filter(|directory| !enters(directory, runner)).last() {
        return Program::Unreachable(closed.display().to_string());
    }
    let Ok(found) = target.metadata() else { return Program::Missing };
    if !found.is_file() {
        return Program::NoFile;
    }
    if !executes(&found, runner) {
        return Program::NotExecutable;
    }
    if !(runner.uid == 0 || runner.gid == 0 || becomes_root(&found)) {
        return Program::Present;
    }
    // a path that is not absolute was found in the directory that we are in
    let weakness = weakness(if path.is_absolute() { &path } else { &target });
    weakness.map_or(Program::Present, Program::Insecure)
}

fn account(owner: Owner<'_>) -> Option<Account> {
    let user = owner.user.map_or(Ok(Some(Account { uid: 0, gid: 0 })), process::find_user).ok().flatten()?;
    let gid = owner.group.map_or(Ok(Some(user.gid)), process::find_group).ok().flatten()?;
    Some(Account { gid, ..user })
}

/// The first program of this name in `PATH` that `runner` can run.
fn search(program: &str, runner: Account) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let found = |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && executes(&found, runner));
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(found)
}

fn executes(found: &Metadata, runner: Account) -> bool {
    let [owner, group, others] = EXECUTE.map(|bit| found.mode() & bit != 0);
    if runner.uid == 0 {
        owner || group || others
    } else if runner.uid == found.uid() {
        owner
    } else if runner.gid == found.gid() {
        group
    } else {
        others
    }
}

fn enters(directory: &Path, runner: Account) -> bool {
    runner.uid == 0 || directory.metadata().is_ok_and(|found| executes(&found, runner))
}

fn becomes_root(found: &Metadata) -> bool {
    let has = |bits: u32| found.mode() & bits == bits;
    let [owner, group, _] = EXECUTE;
    (found.uid() == 0 && has(SET_USER | owner)) || (found.gid() == 0 && has(SET_GROUP | group))
}

/// Symbolic links that are followed on one way, as in the kernel.
const MOST_LINKS: u32 = 40;

/// The first component on the way to the file at `path` that users other than root could replace or change.
///
/// Symbolic links are followed as the kernel follows them. A link counts like a file: it and the directory that it stands in decide
/// where it leads. keepalived refuses links in place of directories, such as `/bin` where `/usr` is merged.
fn weakness(path: &Path) -> Option<Weakness> {
    let mut links = 0;
    let mut reached = PathBuf::from("/");
    let mut weakness = reached.symlink_metadata().ok().and_then(|found| weakness_of(&reached, &found));
    let mut ahead: Vec<OsString> = Vec::new();
    push(&mut ahead, path);
    while weakness.is_none() {
        let Some(name) = ahead.pop() else { break };
        if name == ".." {
            // a directory that was judged on the way to where we are
            reached.pop();
            continue;
        }
        reached.push(name);
        // what cannot be examined cannot be executed either
        let Ok(found) = reached.symlink_metadata() else { break };
        weakness = weakness_of(&reached, &found);
        if found.file_type().is_symlink() {
            links += 1;
            let Ok(target) = reached.read_link() else { break };
            if links > MOST_LINKS {
                break;
            }
            reached = if target.is_absolute() { PathBuf::from("/") } else { reached.parent()?.to_owned() };
            push(&mut ahead, &target);
        }
    }
    weakness
}

/// Puts the components of `path` on `ahead`, the first one on top.
fn push(ahead: &mut Vec<OsString>, path: &Path) {
    let components = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    ahead.extend(components);
}

fn weakness_of(path: &Path, found: &Metadata) -> Option<Weakness> {
    let (mode, kind) = (found.mode(), found.file_type());
    let counts = kind.is_file() || (kind.is_dir() && mode & STICKY == 0);
    let writable = (found.gid() != 0 && mode & 0o020 != 0) || mode & 0o002 != 0;
    let kind = if found.uid() != 0 {
        WeaknessKind::Owner { user: found.uid() }
    } else if counts && writable {
        WeaknessKind::Writable { mode: mode & 0o7777, group: found.gid() }
    } else {
        return None;
    };
    Some(Weakness { path: path.display().to_string(), kind })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    const ROOT: Account = Account { uid: 0, gid: 0 };
    const NOBODY: u32 = 65534;

    /// A directory with a program in `usr/bin`, and `bin` as a link to `usr/bin`; gone with the value.
    struct Merged(PathBuf);

    impl Merged {
        fn new(name: &str) -> Option<Self> {
            if process::effective_uid() != 0 {
                eprintln!("skipped: only root has files that are safe");
                return None;
            }
            // /tmp may be written by others, but has the sticky bit
            let top = std::env::temp_dir().join(format!("keepalived-merged-{name}-{}", std::process::id()));
            fs::create_dir_all(top.join("usr/bin")).unwrap();
            for directory in ["", "usr", "usr/bin"] {
                fs::set_permissions(top.join(directory), Permissions::from_mode(0o755)).unwrap();
            }
            fs::write(top.join("usr/bin/program"), "#!/bin/sh\n").unwrap();
            fs::set_permissions(top.join("usr/bin/program"), Permissions::from_mode(0o755)).unwrap();
            symlink("usr/bin", top.join("bin")).unwrap();
            Some(Self(top))
        }

        /// What is wrong with `path` in it: the component and the reason.
        fn check(&self, path: &str, expected: Option<(&str, WeaknessKind)>) {
            let found = match look_as(&self.0.join(path).display().to_string(), ROOT) {
                Program::Insecure(weakness) => Some(weakness),
                Program::Present => None,
                other => panic!("{path}: {other:?}"),
            };
            let expected =
                expected.map(|(component, kind)| Weakness { path: self.0.join(component).display().to_string(), kind });
            assert_eq!(found, expected, "{path}");
        }
    }

    impl Drop for Merged {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_link_of_root_in_a_directory_of_root_is_safe() {
        let Some(merged) = Merged::new("safe") else { return };
        merged.check("bin/program", None);
        merged.check("bin/../bin/program", None);
        symlink(merged.0.join("bin/program"), merged.0.join("by-name")).unwrap();
        merged.check("by-name", None);
        if fs::symlink_metadata("/bin").is_ok_and(|found| found.is_symlink()) {
            assert_eq!(look_as("/bin/sh", ROOT), Program::Present);
        }
    }

    #[test]
    fn who_could_replace_a_link_could_replace_the_program() {
        let Some(merged) = Merged::new("link") else { return };
        std::os::unix::fs::lchown(merged.0.join("bin"), Some(NOBODY), None).unwrap();
        merged.check("bin/program", Some(("bin", WeaknessKind::Owner { user: NOBODY })));
        merged.check("usr/bin/program", None);
        fs::create_dir(merged.0.join("open")).unwrap();
        fs::set_permissions(merged.0.join("open"), Permissions::from_mode(0o777)).unwrap();
        symlink("../usr/bin/program", merged.0.join("open/program")).unwrap();
        merged.check("open/program", Some(("open", WeaknessKind::Writable { mode: 0o777, group: 0 })));
    }

    #[test]
    fn each_component_of_the_way_that_links_lead_is_judged() {
        let Some(merged) = Merged::new("way") else { return };
        let open = |path: &str, mode| fs::set_permissions(merged.0.join(path), Permissions::from_mode(mode)).unwrap();
        chown(merged.0.join("usr"), None, Some(NOBODY)).unwrap();
        open("usr", 0o775);
        merged.check("bin/program", Some(("usr", WeaknessKind::Writable { mode: 0o775, group: NOBODY })));
        open("usr", 0o755);
        open("usr/bin/program", 0o757);
        let writable = WeaknessKind::Writable { mode: 0o757, group: 0 };
        merged.check("bin/program", Some(("usr/bin/program", writable)));
        open("usr/bin/program", 0o755);
        chown(merged.0.join("usr/bin"), Some(NOBODY), None).unwrap();
        merged.check("bin/program", Some(("usr/bin", WeaknessKind::Owner { user: NOBODY })));
        merged.check("bin/../../bin/program", Some(("usr/bin", WeaknessKind::Owner { user: NOBODY })));
    }
}
