//! Counters, timeouts, sync daemons, the module.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::balance::{Change, Counters, Scheduler, ServiceKey, Table};
use keepalived_kernel::director::Director;
use keepalived_kernel::ipvs::{Ipvs, SyncDaemon, SyncRole, Timeouts};

use super::{fresh, ipvsadm, rules};
use crate::contract::{must, nat, plain, server, service};
use crate::lab;

/// The kernel adds up what its processors have counted every two seconds.
fn until(ipvs: &mut Ipvs, key: &ServiceKey, is_there: impl Fn(&Counters) -> bool) -> Counters {
    for _ in 0..100 {
        let counters = ipvs.service_traffic().unwrap()[key];
        if is_there(&counters) {
            return counters;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("nothing was counted");
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn what_passes_is_counted_and_zeroed() {
    let (_namespace, mut ipvs) = fresh();
    lab::ip("address add 192.0.2.1/32 dev lo");
    let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    let (key, place) = (service("192.0.2.1", 80), server("127.0.0.1", 8080));
    let idle = server("127.0.0.1", 8081);
    must(
        &mut ipvs,
        &[
            Change::AddService(key, plain(Scheduler::Wrr)),
            Change::AddDestination(key, place, nat(1)),
            Change::AddDestination(key, idle, nat(0)),
        ],
    );
    let mut client = TcpStream::connect("192.0.2.1:80").unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    client.write_all(b"hello").unwrap();
    let mut heard = [0; 5];
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");

    let ours = until(&mut ipvs, &key, |counters| counters.connections > 0);
    assert_eq!(ours.connections, 1);
    // at least: SYN, ACK, and data of 5 octets behind 40 of headers
    assert!(ours.packets_in >= 3 && ours.octets_in >= 3 * 40 + 5, "{ours:?}");
    assert!(ours.packets_out >= 2 && ours.octets_out >= 2 * 40, "{ours:?}");
    let servers = ipvs.server_traffic(&key).unwrap();
    assert_eq!(servers[&place].counters.connections, 1);
    assert_eq!((servers[&place].active, servers[&place].inactive), (1, 0));
    assert_eq!(servers[&idle], Default::default());
    let theirs = ipvsadm("-Ln --stats --exact -t 192.0.2.1:80");
    let line = theirs.lines().find(|line| line.starts_with("TCP")).unwrap();
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers, [ours.connections, ours.packets_in, ours.packets_out, ours.octets_in, ours.octets_out]);

    ipvs.zero(Some(&key)).unwrap();
    assert_eq!(ipvs.service_traffic().unwrap()[&key].connections, 0);
    assert_eq!(ipvs.server_traffic(&key).unwrap()[&place].counters.packets_in, 0);
    client.write_all(b"again").unwrap();
    peer.read_exact(&mut heard).unwrap();
    until(&mut ipvs, &key, |counters| counters.packets_in > 0);
    ipvs.zero(None).unwrap();
    assert_eq!(ipvs.service_traffic().unwrap()[&key].packets_in, 0);
    let error = ipvs.zero(Some(&service("192.0.2.7", 80))).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESRCH));

    // the connection lives through changes of the service and of its server
    must(&mut ipvs, &[Change::AddService(key, plain(Scheduler::Rr)), Change::AddDestination(key, place, nat(0))]);
    client.write_all(b"still").unwrap();
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still");
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn what_others_put_there_is_seen_kept_and_flushed() {
    let (_namespace, mut ipvs) = fresh();
    ipvsadm("-A -t 192.0.2.7:80 -s wlc");
    ipvsadm("-a -t 192.0.2.7:80 -r 198.51.100.7:80 -m -w 7");
    let theirs = rules();
    let (key, place) = (service("192.0.2.1", 80), server("198.51.100.1", 80));
    must(&mut ipvs, &[Change::AddService(key, plain(Scheduler::Rr)), Change::AddDestination(key, place, nat(1))]);
    let table = ipvs.read().unwrap();
    assert_eq!(table[&service("192.0.2.7", 80)].destinations[&server("198.51.100.7", 80)], nat(7));
    ipvsadm("-a -t 192.0.2.1:80 -r 198.51.100.9:80 -m");
    must(&mut ipvs, &[Change::EditDestination(key, place, nat(3)), Change::AddService(key, plain(Scheduler::Rr))]);
    assert_eq!(ipvs.read().unwrap()[&key].destinations.len(), 2);
    must(&mut ipvs, &[Change::RemoveService(key)]);
    assert_eq!(rules(), theirs);
    ipvs.flush().unwrap();
    assert_eq!(ipvs.read().unwrap(), Table::new());
    ipvs.flush().unwrap();
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn it_stays_in_the_namespace_in_which_it_was_opened() {
    let (_first, mut there) = fresh();
    let (_second, mut here) = fresh();
    let key = service("192.0.2.1", 80);
    must(&mut there, &[Change::AddService(key, plain(Scheduler::Rr))]);
    assert_eq!(here.read().unwrap(), Table::new());
    assert_eq!(rules(), [""; 0]);
    assert_eq!(there.services().unwrap(), [(key, plain(Scheduler::Rr))].into());
    assert_eq!(there.destinations(&key).unwrap(), [].into());
    assert_eq!(here.destinations(&key).unwrap(), [].into(), "of a service that is not there");
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn timeouts_are_set_and_read() {
    let (_namespace, mut ipvs) = fresh();
    let seconds = Duration::from_secs;
    let wish = Timeouts { tcp: seconds(901), tcp_fin: seconds(121), udp: seconds(301) };
    ipvs.set_timeouts(wish).unwrap();
    assert_eq!(ipvs.timeouts().unwrap(), wish);
    assert_eq!(ipvsadm("-Ln --timeout"), "Timeout (tcp tcpfin udp): 901 121 301\n");
    ipvs.set_timeouts(Timeouts { tcp: seconds(0), tcp_fin: seconds(5), udp: seconds(0) }).unwrap();
    assert_eq!(ipvs.timeouts().unwrap(), Timeouts { tcp_fin: seconds(5), ..wish });
    let error = ipvs.set_timeouts(Timeouts { tcp: seconds(u64::MAX), ..wish }).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    assert_eq!(ipvs.timeouts().unwrap(), Timeouts { tcp_fin: seconds(5), ..wish });
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn sync_daemons_start_change_and_stop() {
    let (_namespace, mut ipvs) = fresh();
    lab::ip("link add red0 type dummy");
    lab::ip("link set red0 up");
    lab::ip("address add 192.0.2.1/24 dev red0");
    let interface = InterfaceName::new(b"red0").unwrap();
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
        group: "224.0.0.99".parse().ok(),
        port: Some(8899),
        ttl: Some(3),
        ..backup
    };
    assert_eq!(ipvs.sync_daemons().unwrap(), []);
    for _ in 0..2 {
        ipvs.start_sync_daemon(&master).unwrap();
        assert_eq!(ipvs.sync_daemons().unwrap(), [master]);
    }
    ipvs.start_sync_daemon(&backup).unwrap();
    let running = ipvs.sync_daemons().unwrap();
    assert_eq!((running.len(), running[0]), (2, master));
    assert!(running[1].fulfils(&backup), "{running:?}");
    let said = ipvsadm("-Ln --daemon");
    assert!(
        said.contains("master sync daemon (mcast=red0, syncid=7, maxlen=1400, group=224.0.0.99, port=8899, ttl=3)"),
        "{said}"
    );
    assert!(said.contains("backup sync daemon (mcast=red0, syncid=7,"), "{said}");

    let other = SyncDaemon { sync_id: 8, group: "ff02::99".parse().ok(), ttl: None, ..master };
    ipvs.start_sync_daemon(&other).unwrap();
    let running = ipvs.sync_daemons().unwrap();
    assert!(running.iter().any(|it| it.fulfils(&other)) && running.len() == 2, "{running:?}");
    for role in [SyncRole::Master, SyncRole::Backup, SyncRole::Master] {
        ipvs.stop_sync_daemon(role).unwrap();
    }
    assert_eq!(ipvs.sync_daemons().unwrap(), []);
    // ended before they began
    for daemon in [master, backup, master] {
        ipvs.start_sync_daemon(&daemon).unwrap();
        ipvs.stop_sync_daemon(daemon.role).unwrap();
    }
    let nowhere = SyncDaemon { interface: InterfaceName::new(b"none0").unwrap(), ..master };
    assert_eq!(ipvs.start_sync_daemon(&nowhere).unwrap_err().raw_os_error(), Some(libc::ENODEV));
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn the_module_is_loaded_when_it_is_not_there() {
    if std::env::var_os("KEEPALIVED_LAB_UML").is_none() {
        // on a machine of its own only: other programs may need the module here
        return;
    }
    let unload =
        "for module in $(sed -n 's/^\\(ip_vs_[a-z_]*\\) .*/\\1/p' /proc/modules) ip_vs; do rmmod $module; done";
    // the namespaces of other tests may not be gone yet
    for attempt in 0.. {
        let done = Command::new("sh").args(["-c", unload]).output().unwrap();
        if done.status.success() {
            break;
        }
        assert!(attempt < 50, "{}", String::from_utf8_lossy(&done.stderr));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!std::path::Path::new("/proc/net/ip_vs").exists());
    let mut ipvs = Ipvs::open().unwrap();
    assert_eq!(ipvs.read().unwrap(), Table::new());
}
