//! Users and groups that this machine knows.

use nix::unistd::{Group, User};

/// A user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
}

/// The user `name`; `None` also if whoever knows users does not answer.
pub fn user(name: &str) -> Option<Account> {
    let user = User::from_name(name).ok()??;
    Some(Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
}

/// The number of the group `name`; `None` also if whoever knows groups does not answer.
pub fn group(name: &str) -> Option<u32> {
    Group::from_name(name).ok()?.map(|group| group.gid.as_raw())
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
