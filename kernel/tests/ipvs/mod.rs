//! IPVS in a kernel that has it, with ipvsadm as the judge.

pub(crate) mod cases;
mod surroundings;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use keepalived_core::balance::{Change, Entry, Table};
use keepalived_kernel::director::{Director, Refused};
use keepalived_kernel::fake::FakeDirector;
use keepalived_kernel::ipvs::Ipvs;
use keepalived_kernel::process::NetworkNamespace;

use crate::contract::{from, many, must, suite, to};
use crate::lab;

/// A table of one's own. The kernel refuses servers without a route, hence `lo`.
fn fresh() -> (NetworkNamespace, Ipvs) {
    let namespace = lab::fresh_namespace().expect("whoever runs this may make namespaces");
    lab::ip("link set lo up");
    (namespace, Ipvs::open().unwrap())
}

/// Runs ipvsadm in the namespace of this thread; what it said.
fn ipvsadm(line: &str) -> String {
    let done = Command::new("ipvsadm").args(line.split_whitespace()).output().expect("ipvsadm is installed");
    let said = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(done.status.success(), "ipvsadm {line}: {}{}", said(&done.stdout), said(&done.stderr));
    said(&done.stdout)
}

/// Lets ipvsadm make many things at once.
fn ipvsadm_restore(lines: &str) {
    let mut ipvsadm = Command::new("ipvsadm").arg("-R").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ipvsadm.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let done = ipvsadm.wait_with_output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// `ipvsadm -Sn`, sorted, because the kernel lists in the order of its hash.
fn rules() -> Vec<String> {
    let mut rules: Vec<_> = ipvsadm("-Sn").lines().map(|line| line.trim_end().to_owned()).collect();
    rules.sort();
    rules
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn the_kernel_keeps_the_contract() {
    let (_namespace, mut ipvs) = fresh();
    suite(&mut ipvs, |_| true);
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn what_we_write_and_read_is_what_ipvsadm_writes_and_reads() {
    let (_namespace, mut ipvs) = fresh();
    let cases = cases::cases();
    let lines: String = cases.iter().flat_map(|(lines, ..)| lines).map(|line| format!("{line}\n")).collect();
    let table: Table = cases.into_iter().map(|(_, key, entry)| (key, entry)).collect();
    assert!(table.len() > 120, "every case has a service of its own: {}", table.len());
    ipvsadm_restore(&lines);
    let theirs = rules();
    let read = ipvs.read().unwrap();
    table.iter().for_each(|(key, entry)| assert_eq!(read.get(key), Some(entry), "{key:?}"));
    assert_eq!(read.len(), table.len());
    ipvs.flush().unwrap();

    must(&mut ipvs, &to(&table));
    let ours = rules();
    theirs.iter().zip(&ours).for_each(|(theirs, ours)| assert_eq!(ours, theirs));
    assert_eq!(ours.len(), theirs.len());
    assert!(ipvs.read().unwrap() == table);

    // from there to nothing but services, and back
    let servers = table.iter().flat_map(|(key, entry)| entry.destinations.keys().map(|to| (*key, *to)));
    must(&mut ipvs, &servers.map(|(key, to)| Change::RemoveDestination(key, to)).collect::<Vec<_>>());
    assert!(ipvs.read().unwrap().values().all(|entry| entry.destinations.is_empty()));
    must(&mut ipvs, &to(&table));
    assert!(ipvs.read().unwrap() == table);
    must(&mut ipvs, &from(&table));
    assert_eq!(rules(), [""; 0]);

    let mut fake = FakeDirector::new();
    must(&mut fake, &to(&table));
    assert!(*fake.table() == table);
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn one_entry_becomes_any_other() {
    let (_namespace, mut ipvs) = fresh();
    let (key, forms, place, servers) = cases::forms();
    let mut was = Vec::new();
    for form in &forms {
        for server in &servers {
            must(&mut ipvs, &[Change::AddService(key, form.clone()), Change::EditDestination(key, place, *server)]);
            let table = [(key, Entry { service: form.clone(), destinations: [(place, *server)].into() })].into();
            assert_eq!(ipvs.read().unwrap(), table);
            was.push(rules());
        }
    }
    // the other way round, each is reached from another one
    for form in forms.iter().rev() {
        for server in servers.iter().rev() {
            must(&mut ipvs, &[Change::EditService(key, form.clone()), Change::AddDestination(key, place, *server)]);
            assert_eq!(rules(), was.pop().unwrap());
        }
    }
}

/// Lets both make the same changes. They must refuse the same ones, and reach the same table.
fn both(ipvs: &mut Ipvs, fake: &mut FakeDirector, changes: &[Change], name: &str) {
    let outcome =
        |refused: Vec<Refused>| refused.into_iter().map(|it| (it.index, it.error.raw_os_error())).collect::<Vec<_>>();
    let (by_kernel, by_fake) = (ipvs.change(changes).unwrap(), fake.change(changes).unwrap());
    assert_eq!(outcome(by_kernel), outcome(by_fake), "{name}");
    assert_eq!(ipvs.read().unwrap(), *fake.table(), "{name}");
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn the_fake_refuses_what_the_kernel_refuses() {
    let (_namespace, mut ipvs) = fresh();
    for (changes, name) in cases::doubtful() {
        both(&mut ipvs, &mut FakeDirector::new(), &changes, name);
        ipvs.flush().unwrap();
    }
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn senseless_changes_end_alike_in_the_fake_and_in_the_kernel() {
    let (_namespace, mut ipvs) = fresh();
    let mut fake = FakeDirector::new();
    for seed in 0..400 {
        // a few, so that there is a second try for each; many, so that they are more than one datagram
        let count = if seed % 20 == 0 { 700 } else { 2 + usize::try_from(seed).unwrap() % 12 };
        both(&mut ipvs, &mut fake, &cases::senseless(seed, count), &format!("seed {seed}"));
    }
}

#[test]
#[ignore = "needs IPVS: run by what_needs_ipvs_works"]
fn ten_thousand_entries_take_a_few_datagrams() {
    for (services, servers) in [(10_000, 0), (1_000, 10), (10_000, 10)] {
        let (_namespace, mut ipvs) = fresh();
        let table = many(services, servers);
        let (add, remove) = (to(&table), from(&table));
        let mut time = |what: &str, work: &mut dyn FnMut(&mut Ipvs)| {
            let start = Instant::now();
            work(&mut ipvs);
            println!("{services} services x {servers} servers: {what} {:?}", start.elapsed());
        };
        time("add", &mut |ipvs| must(ipvs, &add));
        time("read", &mut |ipvs| assert!(ipvs.read().unwrap() == table));
        time("add again", &mut |ipvs| must(ipvs, &add));
        time("counters", &mut |ipvs| {
            let services = ipvs.service_traffic().unwrap();
            assert_eq!(services.len(), table.len());
            let counted = services.keys().map(|key| ipvs.server_traffic(key).unwrap().len());
            assert_eq!(counted.sum::<usize>(), table.values().map(|entry| entry.destinations.len()).sum::<usize>());
        });
        time("remove", &mut |ipvs| must(ipvs, &remove));
        assert_eq!(ipvs.read().unwrap(), Table::new());
    }
}
