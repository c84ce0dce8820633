//! The users that run scripts.

use std::collections::BTreeMap;
use std::io;

use keepalived_config::model::{ScriptGroup, ScriptUser};
use keepalived_kernel::process::{self, Account, Identity};

use crate::message::ScriptDefault;

/// The users of one configuration. Each is looked up once and then stays the same. There are as many as the configuration names.
#[derive(Debug, Default)]
pub(super) struct Users {
    known: BTreeMap<(String, Option<String>, bool), Identity>,
}

impl Users {
    /// Without `user`, as `default` says; `None` is who we are.
    ///
    /// # Errors
    /// The user or group does not exist, or cannot be looked up. Then the script is not run.
    pub(super) fn identity(
        &mut self,
        user: Option<&ScriptUser>,
        with_all: bool,
        default: ScriptDefault,
    ) -> io::Result<Option<Identity>> {
        let Some(ScriptUser { name, group }) = user else {
            return match default {
                ScriptDefault::User(Account { uid, gid }) => Ok(Some(Identity { uid, gid, groups: vec![gid] })),
                ScriptDefault::Ours => Ok(None),
                ScriptDefault::Unknown => {
                    Err(io::Error::other("not run: the user keepalived_script could not be looked up"))
                }
            };
        };
        let named = group.as_ref().and_then(|group| group.name.as_ref());
        let all = with_all || matches!(group, Some(ScriptGroup { supplementary: true, .. }));
        let key = (name.clone(), named.cloned(), all);
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(known.clone()));
        }
        let found = look(name, named.map(String::as_str), all)?;
        self.known.insert(key, found.clone());
        Ok(Some(found))
    }
}

fn look(name: &str, group: Option<&str>, all: bool) -> io::Result<Identity> {
    let account = process::find_user(name)?.ok_or_else(|| io::Error::other(format!("there is no user {name}")))?;
    let gid = match group {
        None => account.gid,
        Some(group) => {
            process::find_group(group)?.ok_or_else(|| io::Error::other(format!("there is no group {group}")))?
        }
    };
    let groups = if all { process::supplementary_groups(name, gid) } else { vec![gid] };
    Ok(Identity { uid: account.uid, gid, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_known_runs_nothing() {
        let mut users = Users::default();
        let nobody = ScriptUser { name: "no such user".into(), group: None };
        assert!(users.identity(Some(&nobody), false, ScriptDefault::Ours).is_err());
        assert!(users.identity(None, false, ScriptDefault::Unknown).is_err());
        assert_eq!(users.identity(None, false, ScriptDefault::Ours).unwrap(), None);
    }

    #[test]
    fn the_default_user_stays_who_it_was_when_the_daemon_started() {
        // no such user is there to be looked up: the number is all that counts
        let default = ScriptDefault::User(Account { uid: 64_001, gid: 64_002 });
        let identity = Users::default().identity(None, false, default).unwrap();
        assert_eq!(identity, Some(Identity { uid: 64_001, gid: 64_002, groups: vec![64_002] }));
    }
}
