//! Direct routing: servers get packets as they are, and answer clients themselves.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use keepalived_core::balance::{
    Change, DestinationEntry, Entry, Forwarding, Protocol, Scheduler, ServiceKey, Table, difference,
};
use keepalived_core::vrrp::Family;
use keepalived_kernel::director::Director as _;
use keepalived_kernel::nftables::Nftables;

use crate::segment::Segment;
use crate::world::{Connection, nft};
use crate::{VIP, at, entry, key, nat, service, set, tally, tcp};

const SIX: &str = "[2001:db8:1::1]:80";

/// Servers by their number, and their weights.
fn direct(scheduler: Scheduler, family: Family, port: u16, servers: &[(u8, u32)]) -> Entry {
    let place = |number: u8| match family {
        Family::V4 => at(&format!("192.0.2.{}:{port}", 100 + number)),
        Family::V6 => at(&format!("[2001:db8::{}]:{port}", 100 + u32::from(number))),
    };
    let entry = |weight| DestinationEntry { forwarding: Forwarding::Dr, ..nat(weight) };
    let destinations = servers.iter().map(|(number, weight)| (place(*number), entry(*weight))).collect();
    Entry { service: service(scheduler), destinations }
}

fn four(scheduler: Scheduler, servers: &[(u8, u32)]) -> Entry {
    direct(scheduler, Family::V4, 80, servers)
}

fn six(scheduler: Scheduler, servers: &[(u8, u32)]) -> Entry {
    direct(scheduler, Family::V6, 80, servers)
}

type Make = fn(Scheduler, &[(u8, u32)]) -> Entry;

/// A service of each family.
const BOTH: [(&str, Make); 2] = [(VIP, four), (SIX, six)];

#[test]
fn clients_are_spread_by_weight_and_servers_answer_them_directly() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    set(&mut director, tcp(VIP), Some(&four(Scheduler::Rr, &[(1, 1), (2, 1)])));
    set(&mut director, tcp(SIX), Some(&six(Scheduler::Wrr, &[(1, 3), (2, 1)])));
    assert_eq!(tally(&segment.ask(VIP, 10)), BTreeMap::from([(1, 5), (2, 5)]));
    assert_eq!(tally(&segment.ask(SIX, 8)), BTreeMap::from([(1, 6), (2, 2)]));
    director.service_traffic().unwrap();
    let passed = [VIP, SIX].map(|vip| director.server_traffic(&tcp(vip)).unwrap());
    let counts: Vec<_> = passed.iter().flat_map(|servers| servers.values()).map(|traffic| traffic.counters).collect();
    assert_eq!(counts.len(), 4);
    // SYN, ACK, "?", ACK, FIN, ACK: four at least of each connection come from the client
    assert!(counts.iter().all(|count| count.packets_in >= 8 && count.octets_in >= count.packets_in * 40), "{counts:?}");
    assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(), "0\n");
    // a hash, and one server only
    set(&mut director, tcp(VIP), Some(&four(Scheduler::Sh, &[(1, 1), (2, 1)])));
    let answers: Vec<_> = (1..=20).map(|last| segment.ask_from(&format!("192.0.2.{last}"), VIP)).collect();
    assert_eq!(tally(&answers).len(), 2, "{answers:?}");
    assert_eq!(segment.ask_from("192.0.2.7", VIP), answers[6]);
    set(&mut director, tcp(VIP), Some(&four(Scheduler::Wlc, &[(2, 1)])));
    assert_eq!(segment.ask(VIP, 3), [2, 2, 2]);
}

#[test]
fn datagrams_stay_with_their_server_until_it_is_removed() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    for (vip, make) in BOTH {
        let udp = key(vip, Protocol::Udp);
        set(&mut director, udp, Some(&make(Scheduler::Rr, &[(1, 1), (2, 1)])));
        let clients: Vec<_> = (0..10).map(|_| segment.datagrams(vip)).collect();
        let ask = || clients.iter().map(|client| client.ask().unwrap()).collect::<Vec<_>>();
        let first = ask();
        assert_eq!(tally(&first), BTreeMap::from([(1, 5), (2, 5)]));
        assert_eq!(ask(), first);
        set(&mut director, udp, Some(&make(Scheduler::Rr, &[(1, 0), (2, 1)])));
        assert_eq!(ask(), first, "drained");
        set(&mut director, udp, Some(&make(Scheduler::Rr, &[(2, 1)])));
        assert_eq!(ask(), [2; 10], "removed");
        set(&mut director, udp, Some(&make(Scheduler::Rr, &[(1, 1), (2, 1)])));
        assert_eq!(ask(), [2; 10], "it is back, and knows nobody");
    }
}

#[test]
fn connections_last_as_long_as_their_server() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    for (vip, make) in BOTH {
        set(&mut director, tcp(vip), Some(&make(Scheduler::Rr, &[(1, 1), (2, 1)])));
        let mut open = [segment.open(vip).unwrap(), segment.open(vip).unwrap()];
        let answers = [open[0].ask(), open[1].ask()];
        assert_ne!(answers[0], answers[1]);
        // another server, other weights, another scheduler
        set(&mut director, tcp(vip), Some(&make(Scheduler::Wlc, &[(1, 0), (2, 2), (3, 5)])));
        assert_eq!([open[0].ask(), open[1].ask()], answers, "drained");
        assert!(!segment.ask(vip, 10).contains(&1));
        set(&mut director, tcp(vip), Some(&make(Scheduler::Wlc, &[(1, 0), (2, 0)])));
        assert_eq!([open[0].ask(), open[1].ask()], answers, "all are drained");
        assert_eq!(segment.open(vip).err().unwrap().kind(), ErrorKind::ConnectionRefused);
        set(&mut director, tcp(vip), Some(&make(Scheduler::Rr, &[(2, 1)])));
        let alive = open.each_mut().map(|connection| connection.try_ask().is_ok());
        assert_eq!(alive, answers.map(|answer| answer == 2), "one is removed");
        set(&mut director, tcp(vip), Some(&Entry { destinations: BTreeMap::new(), ..make(Scheduler::Rr, &[]) }));
        assert_eq!(segment.open(vip).err().unwrap().kind(), ErrorKind::ConnectionRefused);
        set(&mut director, tcp(vip), None);
    }
    assert_eq!(nft("list tables"), "");
}

#[test]
fn no_connection_is_lost_while_weights_change() {
    const CONNECTIONS: u32 = 1000;
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    set(&mut director, tcp(VIP), Some(&four(Scheduler::Wrr, &[(1, 1), (2, 1), (3, 1)])));
    let asked = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            segment.as_client(|| {
                let (to, mut slowest) = (VIP.parse().unwrap(), Duration::ZERO);
                while asked.fetch_add(1, Ordering::Relaxed) < CONNECTIONS {
                    let start = std::time::Instant::now();
                    Connection::open(None, to).expect("no refusal").ask();
                    slowest = slowest.max(start.elapsed());
                }
                slowest
            })
        });
        let mut round = 0;
        while asked.load(Ordering::Relaxed) < CONNECTIONS && !asking.is_finished() {
            round += 1;
            let weights = [(1, round % 2), (2, (round + 1) % 2), (3, round % 7 + 1)];
            let mut want = four(if round % 3 == 0 { Scheduler::Wlc } else { Scheduler::Wrr }, &weights);
            want.service.persistence = (round % 5 == 0).then_some(Duration::from_secs(50));
            set(&mut director, tcp(VIP), Some(&want));
        }
        let slowest = asking.join().unwrap();
        println!("{CONNECTIONS} connections during {round} changes, the slowest took {slowest:?}");
        assert!(round > 100, "{round}");
    });
}

/// A client that takes its port again right after the end begins anew; what nobody began is nobody's.
#[test]
fn a_connection_ends_when_one_end_says_so() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    for ((vip, make), from) in BOTH.into_iter().zip(["192.0.2.1:7777", "[2001:db8::1]:7777"]) {
        set(&mut director, tcp(vip), Some(&make(Scheduler::Rr, &[(1, 1), (2, 1)])));
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), vip.parse().unwrap());
        let once = || {
            // on a busy machine the end of one may come after the beginning of the next
            std::thread::sleep(Duration::from_millis(100));
            segment.as_client(|| Connection::reset(from, to)).unwrap_or_else(|error| panic!("{vip}: {error}"))
        };
        let answers: Vec<u8> = (0..4).map(|_| once()).collect();
        assert_eq!(tally(&answers), BTreeMap::from([(1, 2), (2, 2)]));
        // the table has gone and come: a connection in the midst of it has no server
        let mut open = segment.open(vip).unwrap();
        open.ask();
        set(&mut director, tcp(vip), None);
        set(&mut director, tcp(vip), Some(&make(Scheduler::Rr, &[(1, 1), (2, 1)])));
        assert!(open.try_ask().is_err(), "{vip}");
        set(&mut director, tcp(vip), None);
    }
}

#[test]
fn marks_and_all_ports_are_routed_directly() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    nft("add table inet marks");
    nft("add chain inet marks pre { type filter hook prerouting priority -150 ; }");
    nft("add rule inet marks pre ip daddr 198.51.100.7 meta mark set 7");
    nft("add rule inet marks pre ip6 daddr 2001:db8:1::1 tcp dport 81 meta mark set 7");
    for family in [Family::V4, Family::V6] {
        let marked = ServiceKey::Fwmark { mark: 7, family };
        set(&mut director, marked, Some(&direct(Scheduler::Rr, family, 0, &[(1, 1), (2, 1)])));
    }
    for to in ["198.51.100.7:80", "198.51.100.7:81", "[2001:db8:1::1]:81"] {
        assert_eq!(tally(&segment.ask(to, 6)), BTreeMap::from([(1, 3), (2, 3)]), "{to}");
    }
    let udp = segment.datagrams("198.51.100.7:81");
    let first = udp.ask().unwrap();
    assert_eq!([udp.ask().unwrap(), udp.ask().unwrap()], [first; 2]);
    let mut all = direct(Scheduler::Rr, Family::V4, 0, &[(1, 1), (2, 1)]);
    all.service.persistence = Some(Duration::from_secs(60));
    set(&mut director, tcp("198.51.100.1:0"), Some(&all));
    let one = segment.ask_from("192.0.2.1", "198.51.100.1:80");
    assert_eq!(segment.ask_from("192.0.2.1", "198.51.100.1:81"), one);
    assert_ne!(segment.ask_from("192.0.2.2", "198.51.100.1:81"), one);
}

#[test]
fn a_persistent_client_stays_with_direct_routing_too() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    let clients = [["192.0.2.1", "192.0.2.2"], ["2001:db8::1", "2001:db8::2"]];
    for ((vip, make), clients) in BOTH.into_iter().zip(clients) {
        let persistent = |servers: &[_]| {
            let mut want = make(Scheduler::Rr, servers);
            want.service.persistence = Some(Duration::from_secs(2));
            want
        };
        set(&mut director, tcp(vip), Some(&persistent(&[(1, 1), (2, 1)])));
        let first = clients.map(|from| segment.ask_from(from, vip));
        assert_ne!(first[0], first[1]);
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(700));
            assert_eq!(clients.map(|from| segment.ask_from(from, vip)), first, "each new connection counts anew");
        }
        let drained = [(1, u32::from(first[0] == 2)), (2, u32::from(first[0] == 1))];
        set(&mut director, tcp(vip), Some(&persistent(&drained)));
        assert_eq!(segment.ask_from(clients[0], vip), first[0], "its server gets nobody new");
        set(&mut director, tcp(vip), Some(&persistent(&[(first[1], 1)])));
        assert_eq!(clients.map(|from| segment.ask_from(from, vip)), [first[1]; 2], "its server is gone");
    }
}

#[test]
fn direct_routing_is_taken_over_after_a_crash() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    let mut persistent = four(Scheduler::Wrr, &[(1, 3), (2, 1)]);
    persistent.service.persistence = Some(Duration::from_secs(77));
    set(&mut director, tcp(VIP), Some(&persistent));
    set(&mut director, tcp(SIX), Some(&six(Scheduler::Mh, &[(1, 1), (2, 0)])));
    set(&mut director, tcp("198.51.100.7:80"), Some(&entry(service(Scheduler::Rr), &[("10.0.0.1:80", 1)])));
    let mut connections = [segment.open(VIP).unwrap(), segment.open(SIX).unwrap()];
    let answers = connections.each_mut().map(|connection| connection.ask());
    let (before, table) = (nft("-s list ruleset"), director.read().unwrap());
    drop(director);
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    assert_eq!(director.read().unwrap(), table);
    let mut changes = Vec::new();
    table.iter().for_each(|(key, entry)| difference(*key, None, Some(entry), &mut changes));
    assert!(director.change(&changes).unwrap().is_empty());
    assert_eq!(connections.each_mut().map(|connection| connection.ask()), answers);
    let without_time = |listed: &str| listed.lines().filter(|line| !line.contains("expires")).count();
    assert_eq!(without_time(&nft("-s list ruleset")), without_time(&before));
    // no seat is given again, even if the server that had the last one is gone
    let seats = || nft("list map ip keepalived_balance_direct seats4");
    let had = seats();
    set(&mut director, tcp(VIP), Some(&four(Scheduler::Wrr, &[(2, 1)])));
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    set(&mut director, tcp(VIP), Some(&four(Scheduler::Wrr, &[(2, 1), (3, 1)])));
    let third = |listed: &str| Some(listed.split("0x").find(|seat| seat.contains("192.0.2.103"))?[..8].to_owned());
    let seat = third(&seats()).expect("it has one");
    assert!(!had.contains(&seat), "{seat}: {had}");
    director.clear().unwrap();
    assert_eq!(nft("list ruleset"), "");
}

#[test]
fn a_service_goes_over_to_direct_routing_and_back_and_is_never_both() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    let both = Change::AddDestination(tcp(VIP), at("192.0.2.101:80"), nat(1));
    let want = four(Scheduler::Rr, &[(2, 1)]);
    set(&mut director, tcp(VIP), Some(&want));
    assert_eq!(segment.ask(VIP, 2), [2, 2]);
    let refused = director.change(std::slice::from_ref(&both)).unwrap();
    assert!(refused[0].to_string().starts_with("NAT and DR in one virtual server need IPVS"), "{refused:?}");
    assert_eq!(director.read().unwrap()[&tcp(VIP)], want);
    set(&mut director, tcp(VIP), Some(&entry(service(Scheduler::Rr), &[("192.0.2.101:80", 1)])));
    assert!(!nft("list ruleset").contains("_direct"));
    set(&mut director, tcp(VIP), Some(&want));
    assert_eq!(segment.ask(VIP, 2), [2, 2]);
    set(&mut director, tcp(VIP), None);
    assert_eq!(director.read().unwrap(), Table::new());
    assert_eq!(nft("list ruleset"), "");
}

#[test]
fn what_others_do_to_direct_routing_is_repaired() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    let want = four(Scheduler::Rr, &[(1, 1), (2, 1)]);
    set(&mut director, tcp(VIP), Some(&want));
    let intact = nft("-s list chain ip keepalived_balance_direct dispatch");
    for damage in [
        "delete table ip keepalived_balance_direct",
        "flush chain ip keepalived_balance_direct prerouting",
        "flush chain ip keepalived_balance_direct tcp-198.51.100.1-80",
        "flush map ip keepalived_balance_direct services4",
        "flush map ip keepalived_balance_direct seats4",
        "flush map ip keepalived_balance_direct seats-of4",
        "flush set ip keepalived_balance_direct seats-given",
        "flush map ip keepalived_balance_direct drawn-seats4-0",
    ] {
        nft(damage);
        set(&mut director, tcp(VIP), Some(&want));
        assert_eq!(tally(&segment.ask(VIP, 4)), BTreeMap::from([(1, 2), (2, 2)]), "{damage}");
        assert_eq!(nft("-s list chain ip keepalived_balance_direct dispatch"), intact);
    }
}

/// As a sorry server that is on this machine.
#[test]
fn a_server_may_be_the_director_itself() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    for (vip, here) in [(VIP, "127.0.0.1:80"), (SIX, "[::1]:80")] {
        segment.serve_here(vip, 9);
        let mut want = entry(service(Scheduler::Rr), &[(here, 1)]);
        want.destinations.values_mut().for_each(|server| server.forwarding = Forwarding::Dr);
        set(&mut director, tcp(vip), Some(&want));
        assert_eq!(segment.ask(vip, 2), [9, 9]);
    }
}

#[test]
fn errors_about_a_connection_reach_its_server() {
    let Some(segment) = Segment::new() else { return };
    let mut director = Nftables::open(Nftables::TABLE).unwrap();
    for (vip, make) in BOTH {
        set(&mut director, key(vip, Protocol::Udp), Some(&make(Scheduler::Rr, &[(1, 1), (2, 1)])));
        let clients = [segment.datagrams(vip), segment.datagrams(vip)];
        let numbers = clients.each_ref().map(|client| usize::from(client.ask().unwrap()));
        assert_ne!(numbers[0], numbers[1]);
        let (client, server) = (clients[0].ends(), numbers[0]);
        let route = |number| {
            let get = format!("route get {} from {}", client.0.ip(), client.1.ip());
            segment.as_server(number, || String::from_utf8(ip_says(&get)).unwrap())
        };
        segment.as_client(|| complain(client, 1300));
        let told = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            route(server).contains("mtu 1300")
        });
        assert!(told, "{vip}: {}", route(server));
        assert!(!route(numbers[1]).contains("mtu 1300"), "{vip}: it does not concern the other");
    }
}

fn ip_says(arguments: &str) -> Vec<u8> {
    std::process::Command::new("ip").args(arguments.split(' ')).output().unwrap().stdout
}

/// What a router on the client's side says to a server whose datagrams are too large for it (RFC 1191, RFC 4443): the
/// addressee is whose address they come from.
fn complain((client, service): (SocketAddr, SocketAddr), mtu: u16) {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let [from, to] = [service, client].map(|end| octets(end.ip()));
    let ports = [service.port().to_be_bytes(), client.port().to_be_bytes(), [0, 8], [0, 0]].concat();
    let [high, low] = mtu.to_be_bytes();
    let (protocol, message) = match client {
        SocketAddr::V4(_) => {
            let quoted = [&[0x45, 0, 5, 220, 0, 0, 0x40, 0, 64, 17, 0, 0][..], &from, &to, &ports].concat();
            let mut message = [&[3, 4, 0, 0, 0, 0, high, low][..], &quoted].concat();
            let sum: u32 = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            let sum = (sum & 0xffff) + (sum >> 16);
            let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
            message[2..4].copy_from_slice(&sum.to_be_bytes());
            (socket2::Protocol::ICMPV4, message)
        }
        SocketAddr::V6(_) => {
            let quoted = [&[0x60, 0, 0, 0, 5, 180, 17, 64][..], &from, &to, &ports].concat();
            (socket2::Protocol::ICMPV6, [&[2, 0, 0, 0, 0, 0, high, low][..], &quoted].concat())
        }
    };
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(client), socket2::Type::RAW, Some(protocol)).unwrap();
    socket.send_to(&message, &SocketAddr::new(service.ip(), 0).into()).unwrap();
}
