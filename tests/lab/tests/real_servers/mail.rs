//! aiosmtpd, as it is and in other moods: `SMTP_CHECK`.

use anyhow::Result;

use crate::place::{Place, Server, at_place, down, up};

const PLAIN: &str = "10.1.1.1:25";
const SIX: &str = "[fd00:1::1]:25";

fn plain(place: &Place<'_>, at: &str) -> Result<Server> {
    let mut command = place.namespace().command("aiosmtpd");
    // no change of user; letters go nowhere. The brackets of an address are no matter of this program
    let bare = at.replace(['[', ']'], "");
    command.args(["-n", "-c", "aiosmtpd.handlers.Sink", "-l", &bare]);
    place.serve("aiosmtpd", &mut command, &[at])
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

#[test]
fn mail_servers_greet_or_do_not() {
    at_place("mail", &["aiosmtpd", "/usr/bin/python3"], |place| {
        let server = plain(place, PLAIN)?;
        let _six = plain(place, SIX)?;
        let script = place.file("mail.py", include_str!("mail.py"))?;
        let ports = || (1001..).zip(MOODS).map(|(port, (mood, verdict))| (mood, format!("10.1.1.2:{port}"), verdict));
        let mut command = place.namespace().command("/usr/bin/python3");
        command.arg(script).arg("10.1.1.2").args((1001..).zip(MOODS).map(|(port, (mood, _))| format!("{mood}={port}")));
        let listening: Vec<_> = ports().map(|(_, at, _)| at).collect();
        let _moody = place.serve("moody", &mut command, &listening.iter().map(String::as_str).collect::<Vec<_>>())?;

        let mut cases = vec![
            up(PLAIN, "SMTP_CHECK", ""),
            up(PLAIN, "SMTP_CHECK", "helo_name check.example"),
            up(SIX, "SMTP_CHECK", ""),
            up("10.1.1.3:25", "SMTP_CHECK", "connect_ip 10.1.1.1"),
            down("10.1.1.3:25", "SMTP_CHECK", "", "connection refused"),
        ];
        for (mood, at, verdict) in ports() {
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
        let _server = plain(place, PLAIN)?;
        place.becomes(&cases, true)
    });
}
