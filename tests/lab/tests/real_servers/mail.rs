//! OpenSMTPD; aiosmtpd, as it is and in other moods: `SMTP_CHECK`.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use keepalived_lab::sandbox;

use crate::pki::certificates;
use crate::rig::{Case, Room, Server, down, up, with_rig};

pub(crate) const PLAIN: &str = "10.1.1.1:25";
const SIX: &str = "[fd00:1::1]:25";

pub(crate) fn plain(room: Room<'_>, at: &str) -> Result<Server> {
    let mut command = room.namespace.command("aiosmtpd");
    // no change of user; letters go nowhere. The brackets of an address are no matter of this program
    let bare = at.replace(['[', ']'], "");
    command.args(["-n", "-c", "aiosmtpd.handlers.Sink", "-l", &bare]);
    room.serve("aiosmtpd", &mut command, &[at])
}

pub(crate) const OPEN: &str = "10.1.1.3:2501";
const OPEN_SIX: &str = "[fd00:1::1]:2501";
/// It tells everybody to come again.
pub(crate) const OPEN_LATER: &str = "10.1.1.3:2502";
/// It speaks TLS from the first octet.
pub(crate) const OPEN_TLS: &str = "10.1.1.3:2503";

const OPEN_CONFIGURATION: &str = "pki lab cert \"FOLDER/secure.pem\"
pki lab key \"FOLDER/secure.key\"
filter later phase connect match src { 10.1.1.0/24 } disconnect \"421 Later\"
filter named phase helo match helo { stranger.example } reject \"550 Not you\"
listen on 10.1.1.3 port 2501 hostname mail.example filter named
listen on fd00:1::1 port 2501 hostname mail.example
listen on 10.1.1.3 port 2502 hostname mail.example filter later
listen on 10.1.1.3 port 2503 smtps pki lab hostname mail.example
action nowhere mda \"/bin/true\"
match from any for any action nowhere
";

const OPEN_PROGRAMS: [&str; 3] = ["smtpd", "unshare", "openssl"];

/// Whether it can be had here: a Debian has one mail server, which may be another.
pub(crate) fn can_open() -> bool {
    sandbox::missing(&OPEN_PROGRAMS).is_empty()
}

/// Starts OpenSMTPD. Its socket and its queue are at fixed places: it gets places of its own there.
pub(crate) fn opensmtpd(room: Room<'_>) -> Result<Server> {
    certificates(room.folder, &["secure"])?;
    let text = OPEN_CONFIGURATION.replace("FOLDER", &room.folder.display().to_string());
    let path = room.file("smtpd.conf", text)?;
    // each of its processes wants to read it: nobody else may write it
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let script = "mount -t tmpfs run /run && mount -t tmpfs spool /var/spool && mkdir -m 711 /var/spool/smtpd && exec smtpd -d -f $1";
    let mut command = room.namespace.command("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(path);
    room.serve("opensmtpd", &mut command, &[OPEN, OPEN_SIX, OPEN_LATER, OPEN_TLS])
}

/// What it says, to which client, and what must come of it.
pub(crate) fn open_cases() -> Vec<Case> {
    vec![
        up(OPEN, "SMTP_CHECK", ""),
        up(OPEN, "SMTP_CHECK", "helo_name check.example"),
        down(OPEN, "SMTP_CHECK", "helo_name stranger.example", "the reply to HELO is \"550 Not you\", wanted 250"),
        up(OPEN_SIX, "SMTP_CHECK", ""),
        down(OPEN_LATER, "SMTP_CHECK", "", "the greeting is \"421 Later\", wanted 220"),
        down(OPEN_TLS, "SMTP_CHECK", "connect_timeout 2", "waiting for the greeting"),
    ]
}

#[test]
fn opensmtpd_is_understood() {
    with_rig("opensmtpd", &OPEN_PROGRAMS, |rig| {
        let server = opensmtpd(rig.room())?;
        let cases = open_cases();
        rig.expect("", &cases)?;
        drop(server);
        rig.becomes(&cases, false)?;
        let _server = opensmtpd(rig.room())?;
        rig.becomes(&cases, true)
    });
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
    with_rig("mail", &["aiosmtpd", "/usr/bin/python3"], |rig| {
        let server = plain(rig.room(), PLAIN)?;
        let _six = plain(rig.room(), SIX)?;
        let _moody = moody(rig.room())?;

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
        rig.expect("", &cases)?;

        drop(server);
        rig.holds("nothing of it", |table| table.iter().all(|(port, at)| at != PLAIN && *port != 4))?;
        let _server = plain(rig.room(), PLAIN)?;
        rig.becomes(&cases, true)
    });
}
