//! Whether a user can run a program, and whether users other than root could replace it.
//!
//! Modes decide, as with keepalived; access lists and capabilities of files do not count.

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
    let written = if path.is_absolute() { tidied(&path) } else { target.clone() };
    let weakness = weakness(&written).or_else(|| if target == written { None } else { weakness(&target) });
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

/// `path` without `.` and `..`, as text only, as with keepalived.
fn tidied(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            _ => {}
        }
    }
    out
}

/// The first part of `path` that users other than root could replace or change.
fn weakness(path: &Path) -> Option<Weakness> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    way.into_iter().find_map(|step| {
        let found = step.symlink_metadata().ok()?;
        let kind = weakness_of(&found, step == path)?;
        Some(Weakness { path: step.display().to_string(), kind })
    })
}

fn weakness_of(found: &Metadata, is_last: bool) -> Option<WeaknessKind> {
    let (mode, kind) = (found.mode(), found.file_type());
    if !is_last && !kind.is_dir() {
        return Some(WeaknessKind::Link);
    }
    if found.uid() != 0 {
        return Some(WeaknessKind::Owner);
    }
    let counts = kind.is_file() || (kind.is_dir() && mode & STICKY == 0);
    let writable = (found.gid() != 0 && mode & 0o020 != 0) || mode & 0o002 != 0;
    (counts && writable).then_some(WeaknessKind::Writable)
}
