//! A message as keepalived writes it (observed with 2.4.3: `p1.mail`, `p5.mail`, `v1.mail`), with a `Message-ID` besides.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// The sender and the recipients. Addresses may have names: `Name <user@host>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    from: String,
    to: Vec<String>,
}

/// What is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// `[ROUTER_ID] …`
    pub subject: &'a str,
    /// Without the arrows around it.
    pub body: &'a str,
    /// When it happened.
    pub at: SystemTime,
    /// How far the clocks of this machine are ahead of UTC then, in seconds.
    pub ahead: i64,
    /// Makes its `Message-ID` different from all others of this machine.
    pub id: &'a str,
}

impl Envelope {
    /// Mail from `from` to `to`, the words of `notification_email`. A word in angle brackets belongs to the name before it, which
    /// has no address of its own: keepalived takes both for addresses.
    pub fn new(from: &str, to: &[String]) -> Self {
        let mut all: Vec<String> = Vec::new();
        for word in to {
            match all.last_mut().filter(|last| word.starts_with('<') && !last.contains('@')) {
                Some(name) => {
                    name.push(' ');
                    name.push_str(word);
                }
                None => all.push(word.clone()),
            }
        }
        Self { from: line(from), to: all.iter().map(|address| line(address)).collect() }
    }

    /// The sender, as the dialogue names it.
    pub(super) fn sender(&self) -> &str {
        address(&self.from)
    }

    /// The recipients, as the dialogue names them.
    pub(super) fn recipients(&self) -> impl Iterator<Item = &str> {
        self.to.iter().map(|to| address(to))
    }

    /// The octets of a message.
    pub(super) fn write(&self, message: &Message<'_>) -> String {
        let Message { subject, body, at, ahead, id } = message;
        let subject = line(subject);
        let host = self.sender().rsplit_once('@').map_or("localhost", |(_, host)| host);
        let mut text = format!(
            "Date: {}\r\nFrom: {}\r\nSubject: {subject}\r\nX-Mailer: Keepalived\r\nTo: {}\r\n",
            date(*at, *ahead),
            self.from,
            self.to.join(",\r\n ")
        );
        // a String takes everything
        write!(text, "Message-ID: <{id}@{host}>\r\n").ok();
        if !text.is_ascii() || !body.is_ascii() {
            text.push_str(
                "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
            );
        }
        // lettre ends it with a line end and a full stop
        write!(text, "\r\n=> {} <=\r\n", line(body)).ok();
        text
    }
}

/// `user@host` of `Name <user@host>`.
fn address(text: &str) -> &str {
    let begin = text.split_once('<').map_or(text, |(_, rest)| rest);
    // what comes behind the address would be an option of the command
    begin.split('>').next().unwrap_or_default().trim()
}

/// Octets of the longest text in a line: the line has 1,000 at most (RFC 5321 §4.5.3.1.6), and keepalived cuts, too.
const LONGEST_LINE: usize = 900;

/// `text` as one line that every server takes: what names it comes from is not ours alone.
pub(super) fn line(text: &str) -> String {
    let mut line: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    line.truncate(line.floor_char_boundary(LONGEST_LINE));
    line
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// RFC 5322 §3.3.
fn date(at: SystemTime, ahead: i64) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).saturating_add_signed(ahead);
    let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.unsigned_abs() / 60);
    let zone = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // the first of January 1970 was a Thursday
    let weekday = name(&DAYS, days % 7);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} {zone}", name(&MONTHS, month - 1))
}

fn name<'a>(names: &[&'a str], place: u64) -> &'a str {
    usize::try_from(place).ok().and_then(|place| names.get(place)).copied().unwrap_or_default()
}

/// Year, month and day of a day since 1970 (proleptic Gregorian calendar; years that begin in March have the leap day at their end).
fn civil(days: u64) -> (u64, u64, u64) {
    const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, of_era) = (days / ERA, days % ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    /// `p5.mail`, session 1795235344.564.
    #[test]
    fn it_is_what_keepalived_writes_with_an_id_besides() {
        let envelope =
            Envelope::new("KA <ka@example.net>", &words(&["Ops Team <ops@example.net>", "second@example.net"]));
        let message = Message {
            subject: "[lab] Virtualserver FWM 3 - UP",
            body: "Starting with quorum up 1+0=1 <= 1",
            at: UNIX_EPOCH + Duration::from_secs(1_795_235_344),
            ahead: 0,
            id: "1.2",
        };
        assert_eq!(
            envelope.write(&message),
            "Date: Sat, 21 Nov 2026 04:29:04 +0000\r\nFrom: KA <ka@example.net>\r\n\
             Subject: [lab] Virtualserver FWM 3 - UP\r\nX-Mailer: Keepalived\r\n\
             To: Ops Team <ops@example.net>,\r\n second@example.net\r\nMessage-ID: <1.2@example.net>\r\n\r\n\
             => Starting with quorum up 1+0=1 <= 1 <=\r\n"
        );
        assert_eq!(envelope.sender(), "ka@example.net");
        assert_eq!(envelope.recipients().collect::<Vec<_>>(), ["ops@example.net", "second@example.net"]);
    }

    #[test]
    fn a_name_and_the_address_after_it_are_one_recipient() {
        let envelope = Envelope::new("root", &words(&["Ops Team", "<ops@example.net>", "<x@y>", "root"]));
        assert_eq!(envelope.recipients().collect::<Vec<_>>(), ["ops@example.net", "x@y", "root"]);
    }

    #[test]
    fn nothing_begins_a_line_of_its_own() {
        let envelope = Envelope::new("a@b\r\nDATA", &words(&["x@y>\r\nRCPT TO:<z@y"]));
        assert!(!envelope.sender().contains('\n'));
        assert!(envelope.recipients().all(|to| !to.contains('\n')));
        let text = envelope.write(&Message {
            subject: "a\r\nBcc: z",
            body: "b\n.\r\nQUIT",
            at: UNIX_EPOCH,
            ahead: 0,
            id: "1",
        });
        assert!(!text.contains("\nBcc") && !text.contains("\n.") && !text.contains("\nQUIT"), "{text}");
    }

    #[test]
    fn no_line_is_longer_than_servers_take() {
        let long = "\u{e4}".repeat(5_000);
        let envelope = Envelope::new(&format!("{long}@b"), &words(&[&format!("{long}@c")]));
        let message = Message { subject: &long, body: &long, at: UNIX_EPOCH, ahead: 0, id: "1" };
        let text = envelope.write(&message);
        assert!(text.lines().all(|line| line.len() < 998), "{text}");
        assert!(envelope.sender().len() < 998 && envelope.recipients().all(|to| to.len() < 998));
    }

    #[test]
    fn an_address_brings_no_options_of_commands() {
        let envelope = Envelope::new("a@b> SIZE=9", &words(&["x@y> NOTIFY=NEVER", "N <z@y> NOTIFY=NEVER"]));
        assert_eq!(envelope.sender(), "a@b");
        assert_eq!(envelope.recipients().collect::<Vec<_>>(), ["x@y", "z@y"]);
    }

    #[test]
    fn dates_are_right_in_leap_years_too() {
        let check = |seconds, expected| assert_eq!(date(UNIX_EPOCH + Duration::from_secs(seconds), 0), expected);
        // date -u -R -d @…
        check(0, "Thu, 01 Jan 1970 00:00:00 +0000");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000");
        check(1_709_251_199, "Thu, 29 Feb 2024 23:59:59 +0000");
        check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000");
        // TZ=Asia/Kolkata and TZ=America/St_Johns, -d @951782400
        let at = UNIX_EPOCH + Duration::from_secs(951_782_400);
        assert_eq!(date(at, 19_800), "Tue, 29 Feb 2000 05:30:00 +0530");
        assert_eq!(date(at, -12_600), "Mon, 28 Feb 2000 20:30:00 -0330");
    }
}
