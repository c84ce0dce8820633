//! Who the observer is: a user that owns nothing, so that one who breaks into it has nothing.

use keepalived_kernel::process::{self, Account};

/// The user of `observer_user`, if that is not configured and there is one.
const USUAL: &str = "keepalived";

/// A user without a name. No file is its own and nobody gives such numbers away: they lie above those of people (systemd: to 60,000), of
/// containers (systemd: to 1,879,048,191), of directories (SSSD: to 2,000,200,000), and below 2^31, from where some programs take them
/// for negative.
const NAMELESS: Account = Account { uid: 2_100_000_112, gid: 2_100_000_112 };

/// Who the observer becomes, and what there is to say about that.
pub(super) fn find(configured: Option<&str>) -> (Account, Option<String>) {
    choose(configured, process::find_user)
}

fn choose(
    configured: Option<&str>,
    find: impl FnOnce(&str) -> std::io::Result<Option<Account>>,
) -> (Account, Option<String>) {
    // in doubt it has fewer rights than were asked for, never more
    match (find(configured.unwrap_or(USUAL)), configured) {
        (Ok(Some(account)), _) => (account, None),
        (Ok(None), None) => (NAMELESS, None),
        (Ok(None), Some(name)) => {
            let uid = NAMELESS.uid;
            (NAMELESS, Some(format!("observer_user: there is no user {name}; the observer is the nameless user {uid}")))
        }
        (Err(error), name) => {
            let (name, uid) = (name.unwrap_or(USUAL), NAMELESS.uid);
            let note = format!("cannot look up the user {name} ({error}); the observer is the nameless user {uid}");
            (NAMELESS, Some(note))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn in_doubt_it_has_fewer_rights() {
        let known = |name: &str| {
            let uid = match name {
                "root" => 0,
                "keepalived" => 970,
                "web" => 980,
                _ => return Ok(None),
            };
            Ok(Some(Account { uid, gid: uid }))
        };
        let uid = |configured| choose(configured, known).0.uid;
        assert_eq!([uid(None), uid(Some("web")), uid(Some("root"))], [970, 980, 0]);
        let (account, note) = choose(Some("wbe"), known);
        assert_eq!(account, NAMELESS);
        assert!(note.unwrap().contains("no user wbe"));
        assert_eq!(choose(None, |_| Ok(None)), (NAMELESS, None));
        let (account, note) = choose(None, |_| Err(io::Error::other("no answer")));
        assert_eq!(account, NAMELESS);
        assert!(note.unwrap().contains("no answer"));
    }
}
