//! `keepalived.data` and those beside it (SIGUSR1): how things are, in the words of keepalived 2.4.3, and the journal of why.

use std::fmt::Write as _;

use keepalived_config::dump::{self, Host};
use keepalived_config::model::Config;
use keepalived_state::{Journal, Record, Snapshot};

use crate::now;

mod sessions;

/// The data file of the vrrp process. Writing to a `String` cannot fail, so results are dropped.
pub fn data(config: &Config, snapshot: &Snapshot, host: &dyn Host) -> String {
    let vrrp = &snapshot.vrrp;
    let mut text = dump::vrrp_data(config, host, &now::of_routers(snapshot));
    tell(&mut text, &vrrp.journal);
    text += "------< Network events >------\n";
    writeln!(text, " Adverts for unknown VRIDs = {}", vrrp.totals.unknown_vrid).ok();
    writeln!(text, " Netlink overruns = {}", vrrp.totals.netlink_overruns).ok();
    text
}

/// The data file of the checker process.
pub fn checker_data(config: &Config, snapshot: &Snapshot, host: &dyn Host) -> String {
    let mut text = dump::checker_data(config, host, &now::of_servers(snapshot));
    tell(&mut text, &snapshot.balance.journal);
    text
}

/// The data file of the bfd process.
pub fn bfd_data(config: &Config, snapshot: &Snapshot, host: &dyn Host) -> String {
    let mut text = dump::parent_data(config, host);
    text += "------< BFD Data >------\n";
    if !snapshot.bfd.sessions.is_empty() {
        text += "------< BFD Topology >------\n";
    }
    snapshot.bfd.sessions.iter().for_each(|session| sessions::describe(&mut text, session, host));
    tell(&mut text, &snapshot.bfd.journal);
    text
}

/// What happened, oldest first.
fn tell(text: &mut String, journal: &Journal) {
    *text += "------< Journal >------\n";
    if journal.forgotten() > 0 {
        writeln!(text, " {} earlier records are forgotten", journal.forgotten()).ok();
    }
    for Record { at, subject, event } in journal.records() {
        writeln!(text, " {} {subject} {event}", dump::seconds(now::moment(*at))).ok();
    }
}
