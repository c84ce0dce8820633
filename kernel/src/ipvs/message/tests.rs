use super::*;
use crate::ipvs::daemon::{self, SyncDaemon, SyncRole};
use crate::netlink::codec::Messages;
use crate::netlink::generic::{self, HEADER};

/// Command lines of ipvsadm and what it sent for them; what the kernel answered.
const OBSERVED: &str = include_str!("../observed.txt");

/// What was observed for `what`, from behind the header of netlink.
fn observed(what: &str) -> Vec<Vec<u8>> {
    let rows = OBSERVED.lines().filter_map(|line| line.split_once('\t')).filter(|(name, _)| *name == what);
    let octets =
        |text: &str| (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    let found: Vec<_> = rows.map(|(_, text)| octets(text)).collect();
    assert!(!found.is_empty(), "{what}");
    found
}

fn written(command: u8, write: impl FnOnce(&mut Batch)) -> Vec<u8> {
    let mut batch = Batch::default();
    generic::begin(&mut batch, 0, command, 0, 0);
    write(&mut batch);
    batch.end();
    let mut octets = Messages(batch.octets()).next().unwrap().unwrap().body.to_vec();
    // the version: ipvsadm says 1, which the kernel does not look at
    assert_eq!(octets[1], 1);
    octets[2..4].fill(0);
    octets
}

fn service(address: &str, port: u16, protocol: Protocol) -> ServiceKey {
    ServiceKey::Address { address: address.parse().unwrap(), port, protocol }
}

fn plain(scheduler: Scheduler) -> ServiceEntry {
    ServiceEntry::new(scheduler)
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn destination(address: &str, port: u16) -> DestinationKey {
    DestinationKey { address: address.parse().unwrap(), port }
}

fn weighing(weight: u32, forwarding: Forwarding) -> DestinationEntry {
    DestinationEntry { weight, forwarding, upper_threshold: 0, lower_threshold: 0 }
}

const MAGLEV: SchedulerFlags = SchedulerFlags { flag_1: true, flag_2: true, flag_3: false, hashed: false };

fn gue() -> Forwarding {
    Forwarding::Tun(Tunnel::Gue { port: NonZeroU16::new(6080).unwrap(), checksum: TunnelChecksum::Remote })
}

#[test]
fn services_are_written_as_ipvsadm_writes_them() {
    let v6 = ServiceEntry {
        flags: MAGLEV,
        one_packet: true,
        persistence: seconds(300),
        granularity: Some(Granularity::V6(64)),
        ..plain(Scheduler::Mh)
    };
    let marked = ServiceEntry {
        persistence: seconds(60),
        granularity: Some(Granularity::V4([255, 255, 255, 0].into())),
        ..plain(Scheduler::Sh)
    };
    let sip = ServiceEntry { persistence: seconds(60), persistence_engine: Some("sip".into()), ..plain(Scheduler::Rr) };
    for (line, command, key, entry) in [
        ("-A -t 192.0.2.1:80 -s wlc", NEW_SERVICE, service("192.0.2.1", 80, Protocol::Tcp), plain(Scheduler::Wlc)),
        (
            "-A -u [2001:db8::1]:53 -s mh -b mh-fallback,mh-port -p 300 -M 64 -o",
            NEW_SERVICE,
            service("2001:db8::1", 53, Protocol::Udp),
            v6,
        ),
        (
            "-A -f 7 -s sh -p 60 -M 255.255.255.0",
            NEW_SERVICE,
            ServiceKey::Fwmark { mark: 7, family: Family::V4 },
            marked,
        ),
        ("-A -f 7 -6 -s rr", NEW_SERVICE, ServiceKey::Fwmark { mark: 7, family: Family::V6 }, plain(Scheduler::Rr)),
        (
            "-A --sctp-service 192.0.2.2:5060 -s rr",
            NEW_SERVICE,
            service("192.0.2.2", 5060, Protocol::Sctp),
            plain(Scheduler::Rr),
        ),
        ("-A -u 192.0.2.3:5060 -s rr -p 60 --pe sip", NEW_SERVICE, service("192.0.2.3", 5060, Protocol::Udp), sip),
        ("-E -t 192.0.2.1:80 -s rr", SET_SERVICE, service("192.0.2.1", 80, Protocol::Tcp), plain(Scheduler::Rr)),
    ] {
        let ours = written(command, |batch| write_service(batch, &key, Some(&entry)));
        assert_eq!([ours.clone()].as_slice(), observed(&format!("ipvsadm {line}")), "{line}");
        // and is read again
        let read = read_service(&ours[HEADER..]).unwrap();
        assert_eq!((read.key, read.entry), (key, entry), "{line}");
    }
}

/// The part of a request that says which destination: ipvsadm names the service at greater length than is needed.
fn destination_part(octets: &[u8]) -> Vec<u8> {
    let (_, service) = Attributes(&octets[HEADER..]).next().unwrap();
    octets[HEADER + 4 + service.len()..].to_vec()
}

#[test]
fn destinations_are_written_as_ipvsadm_writes_them() {
    let limited = DestinationEntry { upper_threshold: 100, lower_threshold: 50, ..weighing(5, Forwarding::Nat) };
    let gre = Forwarding::Tun(Tunnel::Gre { checksum: TunnelChecksum::Plain });
    let ipip = Forwarding::Tun(Tunnel::Ipip);
    for (line, command, key, entry) in [
        ("-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 5 -x 100 -y 50", 5, destination("198.51.100.1", 8080), limited),
        (
            "-a -t 192.0.2.1:80 -r 198.51.100.2 -i -w 2147483647",
            5,
            destination("198.51.100.2", 80),
            weighing(2_147_483_647, ipip),
        ),
        (
            "-a -t 192.0.2.1:80 -r 198.51.100.3 -i -w 0 --tun-type gue --tun-port 6080 --tun-remcsum",
            5,
            destination("198.51.100.3", 80),
            weighing(0, gue()),
        ),
        (
            "-a -t 192.0.2.1:80 -r 198.51.100.4 -i --tun-type gre --tun-csum",
            5,
            destination("198.51.100.4", 80),
            weighing(1, gre),
        ),
        ("-a -t 192.0.2.1:80 -r [2001:db8::5]:80 -i", 5, destination("2001:db8::5", 80), weighing(1, ipip)),
        (
            "-e -t 192.0.2.1:80 -r 198.51.100.1:8080 -m -w 6",
            6,
            destination("198.51.100.1", 8080),
            weighing(6, Forwarding::Nat),
        ),
    ] {
        let of = service("192.0.2.1", 80, Protocol::Tcp);
        let ours = written(command, |batch| {
            write_service(batch, &of, None);
            write_destination(batch, &key, Some(&entry));
        });
        let theirs = observed(&format!("ipvsadm {line}")).remove(0);
        assert_eq!(ours[..HEADER], theirs[..HEADER], "{line}");
        assert_eq!(destination_part(&ours), destination_part(&theirs), "{line}");
        let read = read_destination(Family::V4, &ours[HEADER..]).unwrap();
        assert_eq!((read.key, read.entry), (key, entry), "{line}");
    }
}

#[test]
fn daemons_are_written_as_ipvsadm_writes_them() {
    let interface = keepalived_core::address::InterfaceName::new(b"dummy0").unwrap();
    let backup = SyncDaemon {
        role: SyncRole::Backup,
        interface,
        sync_id: 7,
        max_length: None,
        group: None,
        port: None,
        ttl: None,
    };
    let master = SyncDaemon {
        role: SyncRole::Master,
        max_length: Some(1400),
        group: "224.0.0.81".parse().ok(),
        port: Some(8848),
        ttl: Some(3),
        ..backup
    };
    for (options, wish) in [
        (
            "master --mcast-interface dummy0 --syncid 7 --sync-maxlen 1400 --mcast-group 224.0.0.81 --mcast-port 8848 \
             --mcast-ttl 3",
            master,
        ),
        ("backup --mcast-interface dummy0 --syncid 7", backup),
    ] {
        let ours = written(NEW_DAEMON, |batch| daemon::write(batch, &wish));
        assert_eq!([ours.clone()].as_slice(), observed(&format!("ipvsadm --start-daemon {options}")), "{options}");
        assert_eq!(daemon::read(&ours[HEADER..]), Some(wish));
        for length in 0..ours.len() {
            for octet in [0, 1, 0x7f, 0xff] {
                let mut changed = ours.clone();
                changed[length] = octet;
                let _whatever = (daemon::read(&ours[..length]), daemon::read(&changed));
            }
        }
    }
    let other_group = SyncDaemon { group: "ff02::81".parse().ok(), ..master };
    let ours = written(NEW_DAEMON, |batch| daemon::write(batch, &other_group));
    assert_eq!(daemon::read(&ours[HEADER..]), Some(other_group));
    assert!(master.fulfils(&SyncDaemon { role: SyncRole::Master, ..backup }));
    assert!(!master.fulfils(&backup) && !master.fulfils(&other_group));
}

#[test]
fn what_the_kernel_says_of_services_is_read() {
    let services: Vec<_> = observed("service of a dump");
    let read: Vec<_> = services.iter().map(|octets| read_service(&octets[HEADER..]).unwrap()).collect();
    let expected = [
        (service("192.0.2.2", 5060, Protocol::Sctp), plain(Scheduler::Rr)),
        (service("192.0.2.1", 80, Protocol::Tcp), plain(Scheduler::Rr)),
        (
            service("2001:db8::1", 53, Protocol::Udp),
            ServiceEntry {
                flags: MAGLEV,
                one_packet: true,
                persistence: seconds(300),
                granularity: Some(Granularity::V6(64)),
                ..plain(Scheduler::Mh)
            },
        ),
        (
            service("192.0.2.3", 5060, Protocol::Udp),
            ServiceEntry { persistence: seconds(60), persistence_engine: Some("sip".into()), ..plain(Scheduler::Rr) },
        ),
        (ServiceKey::Fwmark { mark: 7, family: Family::V6 }, plain(Scheduler::Rr)),
    ];
    assert_eq!(read.iter().map(|read| (read.key, read.entry.clone())).collect::<Vec<_>>(), expected);
    assert!(read.iter().all(|read| !read.counters.is_empty()));
}

#[test]
fn what_the_kernel_says_of_destinations_is_read() {
    let observed = observed("destination of a dump");
    let read: Vec<_> = observed.iter().map(|octets| read_destination(Family::V4, &octets[HEADER..]).unwrap()).collect();
    let ipip = Forwarding::Tun(Tunnel::Ipip);
    let expected = [
        (destination("2001:db8::5", 80), weighing(1, ipip)),
        (destination("198.51.100.3", 80), weighing(0, gue())),
        (destination("198.51.100.2", 80), weighing(2_147_483_647, ipip)),
        (destination("198.51.100.1", 8080), weighing(6, Forwarding::Nat)),
    ];
    assert_eq!(read.iter().map(|read| (read.key, read.entry)).collect::<Vec<_>>(), expected);
    assert!(read.iter().all(|read| !read.counters.is_empty() && read.connections == [0; 3]));
}

#[test]
fn no_truncation_and_no_changed_octet_panics() {
    for octets in [observed("service of a dump"), observed("destination of a dump")].concat() {
        let whole = &octets[HEADER..];
        for length in 0..whole.len() {
            let cut = &whole[..length];
            assert!(read_service(cut).is_none() && read_destination(Family::V6, cut).is_none(), "{length}");
            for octet in [0, 1, 2, 0x0a, 0x7f, 0x80, 0xff] {
                let mut changed = whole.to_vec();
                changed[length] = octet;
                let _whatever = (read_service(&changed), read_destination(Family::V4, &changed));
            }
        }
    }
}

#[test]
fn what_cannot_be_expressed_is_left_out() {
    let octets = observed("service of a dump").remove(0);
    let with = |kind: u16, value: &[u8]| {
        let mut batch = Batch::default();
        batch.nested(SERVICE, |batch| {
            let (_, service) = Attributes(&octets[HEADER..]).next().unwrap();
            Attributes(service).for_each(|(kind, value)| batch.attribute(kind, value));
            batch.attribute(kind, value);
        });
        read_service(batch.octets()).map(|read| read.key)
    };
    assert!(with(99, &[1]).is_some(), "something new");
    assert!(with(SVC_SCHED_NAME, b"none\0").is_none());
    assert!(with(SVC_SCHED_NAME, b"\xff\0").is_none());
    assert!(with(SVC_PROTOCOL, &50_u16.to_ne_bytes()).is_none());
    assert!(with(SVC_AF, &1_u16.to_ne_bytes()).is_none());
    assert!(with(SVC_AF, &[]).is_none());

    let octets = observed("destination of a dump").remove(0);
    let with = |kind: u16, value: &[u8]| {
        let mut batch = Batch::default();
        batch.nested(DESTINATION, |batch| {
            let (_, destination) = Attributes(&octets[HEADER..]).next().unwrap();
            Attributes(destination).for_each(|(kind, value)| batch.attribute(kind, value));
            batch.attribute(kind, value);
        });
        read_destination(Family::V4, batch.octets()).map(|read| read.key)
    };
    assert!(with(99, &[1]).is_some(), "something new");
    assert!(with(DEST_FWD_METHOD, &4_u32.to_ne_bytes()).is_none());
    assert!(with(DEST_TUN_TYPE, &[3]).is_none());
    assert!(with(DEST_TUN_TYPE, &[1]).is_none(), "without a port");
}
