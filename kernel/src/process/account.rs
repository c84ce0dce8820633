//! Users and groups that this machine knows.

use std::ffi::CString;
use std::io;

use nix::errno::Errno;
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
/// The service that knows users does not answer: there may be one.
pub fn find_user(name: &str) -> io::Result<Option<Account>> {
    let user = certain(name, User::from_name)?;
    Ok(user.map(|user| Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
}

/// The number of the group `name`; `None` if it is certain that there is none.
///
/// # Errors
/// The service that knows groups does not answer: there may be one.
pub fn find_group(name: &str) -> io::Result<Option<u32>> {
    Ok(certain(name, Group::from_name)?.map(|group| group.gid.as_raw()))
}

/// What `find` finds, with the answers that mean "there is none" told from those that mean "I do not know"
/// (getpwnam(3)).
fn certain<T>(name: &str, find: impl FnOnce(&str) -> nix::Result<Option<T>>) -> io::Result<Option<T>> {
    if name.contains('\0') {
        return Ok(None);
    }
    match find(name) {
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
        found => Ok(found?),
    }
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
        assert_eq!(find_user("root").unwrap(), Some(Account { uid: 0, gid: 0 }));
        assert_eq!(find_group("root").unwrap(), Some(0));
        assert_eq!((find_user("no such user").unwrap(), find_group("no such group").unwrap()), (None, None));
        assert_eq!(find_user("nul\0octet").unwrap(), None);
        // the service that knows users does not answer
        let error = certain("any", |_| Err::<Option<()>, _>(Errno::EMFILE)).unwrap_err();
        assert!(crate::shortage::is_shortage(&error), "{error}");
    }
}
