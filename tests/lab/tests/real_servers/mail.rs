//! aiosmtpd, as it is and in other moods: `SMTP_CHECK`.

use anyhow::Result;

use crate::place::{Room, Server, at_place, down, up};

pub(crate) const PLAIN: &str = "10.1.1.1:25";
const SIX: &str = "[fd00:1::1]:25";

pub(crate) fn plain(room: Room<'_>, at: &str) -> Result<Server> {
    let mut command = room.namespace.command("aiosmtpd");
    // no change of user; letters go nowhere. The brackets of an address are no matter of this program
    let bare = at.replace(['[', ']'], "");
    command.args(["-n", "-c", "aiosmtpd.handlers.Sink", "-l", &bare]);
    room.serve("aiosmtpd", &mut command, &[at])
}

/// How it is, and what must come of it: none if it is well.
const MOODS: [(&str, Option<&str>); 13] = [
    ("banner", None),
    ("hello", None),
    ("bare", None),
    ("slow", None),
    ("clingy", None),
    ("busy", Some("the greeting is \"421 mail.example Service not available\", wanted 220")),
    ("shut", Some("the greeting is \"554 here\", wanted 220")),
    ("mixed", Some("the greeting is \"554 No\", wanted 220")),
    ("unspaced", Some("the greeting is \"2200 mail.example\", wanted 220")),
    ("silent", Some("timed out after 2 s waiting for the greeting")),
    ("later", Some("the reply to HELO is \"451 Later\", wanted 250")),
    ("never", Some("the reply to HELO is \"550 you\", wanted 250")),
    ("named", Some("the reply to HELO is \"550 Who is smtpchecker.keepalived.org\", wanted 250")),
];

/// A mood, where it is, and what must come of it.
pub(crate) fn moods() -> Vec<(&'static str, String, Option<&'static str>)> {
    (1001..).zip(MOODS).map(|(port, (mood, verdict))| (mood, format!("10.1.1.2:{port}"), verdict)).collect()
}

/// Starts servers of all moods.
pub(crate) fn moody(room: Room<'_>) -> Result<Server> {
    let script = room.file("mail.py", include_str!("mail.py"))?;
    let mut command = room.namespace.command("/usr/bin/python3");
    command.arg(script).arg("10.1.1.2").args((1001..).zip(MOODS).map(|(port, (mood, _))| format!("{mood}={port}")));
    let moods = moods();
    let at: Vec<_> = moods.iter().map(|(_, at, _)| at.as_str()).collect();
    room.serve("moody", &mut command, &at)
}

#[test]
fn mail_servers_greet_or_do_not() {
    at_place("mail", &["aiosmtpd", "/usr/bin/python3"], |place| {
        let server = plain(place.room(), PLAIN)?;
        let _six = plain(place.room(), SIX)?;
        let _moody = moody(place.room())?;

        let mut cases = vec![
            up(PLAIN, "SMTP_CHECK", ""),
            up(PLAIN, "SMTP_CHECK", "helo_name check.example"),
            up(SIX, "SMTP_CHECK", ""),
            up("10.1.1.3:25", "SMTP_CHECK", "connect_ip 10.1.1.1"),
            down("10.1.1.3:25", "SMTP_CHECK", "", "connection refused"),
        ];
        for (mood, at, verdict) in moods() {
            cases.push(match (mood, verdict) {
                ("silent", Some(reason)) => down(&at, "SMTP_CHECK", "connect_timeout 2", reason),
                (_, Some(reason)) => down(&at, "SMTP_CHECK", "", reason),
                (_, None) => up(&at, "SMTP_CHECK", ""),
            });
            if mood == "named" {
                cases.push(up(&at, "SMTP_CHECK", "helo_name check.example"));
            }
        }
        place.expect("", &cases)?;

        drop(server);
        place.holds("nothing of it", |table| table.iter().all(|(port, at)| at != PLAIN && *port != 4))?;
        let _server = plain(place.room(), PLAIN)?;
        place.becomes(&cases, true)
    });
}
