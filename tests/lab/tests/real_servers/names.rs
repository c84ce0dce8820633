//! NSD, a name server: `DNS_CHECK`.

use std::net::UdpSocket;

use anyhow::Result;

use crate::rig::{Room, Server, down, up, with_rig};

pub(crate) const ZONES: &str = "10.1.1.1:53";
const SIX: &str = "[fd00:1::1]:53";
/// It knows the root.
const ROOT: &str = "10.1.1.2:53";
/// It takes everything and says nothing.
const SILENT: &str = "10.1.1.3:53";
pub(crate) const CLOSED: &str = "10.1.1.4:53";

pub(crate) fn nsd(room: Room<'_>, name: &str, at: &[&str], zones: &[(&str, &str)]) -> Result<Server> {
    let mut text = format!(
        "server:\n username: \"\"\n database: \"\"\n server-count: 1\n zonesdir: .\n pidfile: {name}.pid\n\
         \x20xfrdfile: {name}.xfr\n xfrdir: .\n zonelistfile: {name}.list\n cookie-secret-file: {name}.cookie\n"
    );
    for at in at {
        let (address, port) = at.rsplit_once(':').expect("a port");
        text += &format!(" ip-address: {}@{port}\n", address.trim_matches(['[', ']']));
    }
    text += "remote-control:\n control-enable: no\n";
    for (zone, file) in zones {
        text += &format!("zone:\n name: {zone}\n zonefile: {file}\n");
    }
    let file = room.file(&format!("{name}.conf"), text)?;
    let mut command = room.namespace.command("nsd");
    command.arg("-d").arg("-c").arg(file);
    room.serve(name, &mut command, at)
}

const AUTHORITY: &str = "@ 60 IN SOA ns.example.org. root.example.org. 1 60 60 60 60\n@ 60 IN NS ns.example.org.\n";

pub(crate) fn zones(room: Room<'_>) -> Result<Server> {
    let long = "\"0123456789012345678901234567890123456789\" ".repeat(40);
    let text = format!(
        "$ORIGIN example.org.\n{AUTHORITY}ns 60 IN A 10.1.1.1\nwww 60 IN A 192.0.2.1\nwww 60 IN AAAA 2001:db8::1\n\
         alias 60 IN CNAME www\nlost 60 IN CNAME nowhere\n@ 60 IN MX 10 mail\n@ 60 IN TXT \"text\"\nlong 60 IN TXT {long}\n"
    );
    room.file("example.org.zone", text)?;
    room.file("broken.example.zone", "this is no zone\n")?;
    let zones = [("example.org", "example.org.zone"), ("broken.example", "broken.example.zone")];
    nsd(room, "zones", &[ZONES, SIX], &zones)
}

#[test]
fn answers_of_a_name_server_are_judged() {
    with_rig("names", &["nsd"], |rig| {
        let server = zones(rig.room())?;
        rig.room().file("root.zone", format!("$ORIGIN .\n{AUTHORITY}"))?;
        let _root = nsd(rig.room(), "root", &[ROOT], &[("\".\"", "root.zone")])?;
        let _silent = rig.namespace().inside(|| Ok(UdpSocket::bind(SILENT)?))?;

        let ask = |at: &str, lines: &str| up(at, "DNS_CHECK", lines).udp();
        let bad = |at: &str, lines: &str, reason: &str| down(at, "DNS_CHECK", lines, reason).udp();
        let mut cases = vec![
            ask(ROOT, ""),
            ask(ROOT, "type NS"),
            bad(ROOT, "name nowhere.example", "NXDOMAIN"),
            // it has no zone above its own
            bad(ZONES, "", "REFUSED"),
            bad(ZONES, "type A\n name www.example.com", "REFUSED"),
            bad(ZONES, "type A\n name www.broken.example", "SERVFAIL"),
            bad(ZONES, "type A\n name nowhere.example.org", "NXDOMAIN"),
            bad(ZONES, "type A\n name lost.example.org", "NXDOMAIN"),
            bad(SIX, "name nowhere.example.org", "NXDOMAIN"),
            bad(SILENT, "connect_timeout 1", "timed out after 1 s waiting for the reply"),
            bad(CLOSED, "", "connection refused"),
            // too long for a datagram: cut off, and an answer
            ask(ZONES, "type TXT\n name long.example.org"),
            ask(ZONES, "type A\n name alias.example.org"),
            ask(ZONES, "type cname\n name ALIAS.Example.Org."),
            // the check is of a server of datagrams; the service may be another
            up(ZONES, "DNS_CHECK", "name example.org"),
        ];
        for kind in ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"] {
            // most of them have no answer at one of the names, which is no failure
            for name in ["example.org", "www.example.org"] {
                cases.push(ask(ZONES, &format!("type {kind}\n name {name}")));
                cases.push(ask(SIX, &format!("type {kind}\n name {name}")));
            }
        }
        rig.expect("", &cases)?;

        drop(server);
        rig.holds("the other one only", |table| table.iter().all(|(_, at)| at == ROOT) && !table.is_empty())?;
        let _server = zones(rig.room())?;
        rig.becomes(&cases, true)
    });
}
