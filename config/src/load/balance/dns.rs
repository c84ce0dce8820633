//! `DNS_CHECK`

use super::super::reading::Reading;
use super::super::statements::Statements;
use super::pace::Habit;
use super::scene::{Scene, Timed, timed};
use crate::finding::{Finding, rule};
use crate::model::{Checker, DnsCheck, DnsQuery};

/// The longest label and the longest name (RFC 1035 §2.3.4); the name without the octets that its lengths take.
const LONGEST_LABEL: usize = 63;
const LONGEST_NAME: usize = 253;

pub(super) fn read(reading: &mut Reading<'_>, statements: &Statements<'_>, scene: &Scene<'_>) -> Option<Checker> {
    let query = match reading.choice_any_case(statements.last("type")) {
        Some("A") => DnsQuery::A,
        Some("NS") => DnsQuery::Ns,
        Some("CNAME") => DnsQuery::Cname,
        Some("MX") => DnsQuery::Mx,
        Some("TXT") => DnsQuery::Txt,
        Some("AAAA") => DnsQuery::Aaaa,
        _ => DnsQuery::Soa,
    };
    let name = name(reading, statements).unwrap_or_else(|| ".".to_owned());
    let Timed { schedule, endpoint } = timed(reading, statements, scene, Habit::DNS)?;
    Some(Checker::Dns(Box::new(DnsCheck { schedule, endpoint, query, name })))
}

/// The first `name`; keepalived does not take a second one.
fn name(reading: &mut Reading<'_>, statements: &Statements<'_>) -> Option<String> {
    let word = statements.first("name")?.argument()?;
    let text = word.str();
    if matches!(text.as_ref(), "." | "") {
        return None;
    }
    let bare = text.strip_suffix('.').unwrap_or(&text);
    let problem = if bare.split('.').any(str::is_empty) {
        "has an empty label"
    } else if bare.len() > LONGEST_NAME || bare.split('.').any(|label| label.len() > LONGEST_LABEL) {
        "is too long: a label has at most 63 octets, a name 253"
    } else {
        return Some(bare.to_owned());
    };
    let finding = Finding::at(&rule::DNS_NAME, word.span, format!("{text} {problem}; the root is asked for instead"));
    reading.report(finding);
    None
}
