//! Users and groups that this machine knows.

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Group, User};
use serde::{Deserialize, Serialize};

/// A user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
}

/// The user `name`; `None` if it is certain that there is none.
///
/// # Errors
/// Whoever knows users does not answer: there may be one.
pub fn find_user(name: &str) -> io::Result<Option<Account>> {
    let user = User::from_name(name)?;
    Ok(user.map(|user| Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
}

/// The user `name`; `None` also if whoever knows users does not answer.
pub fn user(name: &str) -> Option<Account> {
    find_user(name).ok()?
}

/// The number of the group `name`; `None` also if whoever knows groups does not answer.
pub fn group(name: &str) -> Option<u32> {
    Group::from_name(name).ok()?.map(|group| group.gid.as_raw())
}

/// The numbers of all groups that `name` belongs to, `gid` among them.
pub fn supplementary_groups(name: &str, gid: u32) -> Vec<u32> {
    let groups = CString::new(name).ok().and_then(|name| nix::unistd::getgrouplist(&name, Gid::from_raw(gid)).ok());
    groups.map_or_else(|| vec![gid], |groups| groups.into_iter().map(Gid::as_raw).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_everywhere() {
        assert_eq!(user("root"), Some(Account { uid: 0, gid: 0 }));
        assert_eq!(group("root"), Some(0));
        assert_eq!((user("no such user"), group("no such group")), (None, None));
        assert_eq!(user("nul\0octet"), None);
    }
}
