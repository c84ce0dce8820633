//! What only whole processes show: going into the background, and dying with a parent.

#![cfg(test)]

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use keepalived_kernel::process::{
    Background, Child, Exit, Launch, Pid, adopt_orphans, daemonise, die_with_parent, inherited, own_pid, reap_orphans,
    set_name, spawn,
};
use keepalived_kernel::signal::Signal;

const REPORT: i32 = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("daemon"), None) => daemon(),
        (Some("failing"), None) => daemonise().unwrap().failed(5),
        (Some("silent"), None) => drop(daemonise().unwrap()),
        (Some("parent"), None) => parent(),
        (Some("worker"), Some(parent)) => worker(Pid(parent.parse().unwrap())),
        // whatever else the test runner passes
        _ => tests(),
    }
}

fn tests() {
    a_daemon_leaves_the_terminal_and_its_parent_succeeds();
    a_daemon_that_fails_passes_its_status_on();
    a_worker_dies_with_its_parent();
    orphans_are_reaped_and_children_of_our_own_are_not();
    Background::none().ready().unwrap();
    println!("processes: 4 passed");
}

fn start(role: &str, report: Option<OwnedFd>) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut arguments: Vec<OsString> = vec![role.into()];
    arguments.extend(role.split(' ').map(Into::into));
    let descriptors = report.into_iter().map(|report| (report, REPORT)).collect();
    spawn(&Launch { program, arguments, environment: vec![], descriptors }).unwrap()
}

fn end_of(child: &Child) -> Exit {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(exit) = child.try_wait().unwrap() {
            return exit;
        }
        assert!(Instant::now() < patience, "process {} does not end", child.pid());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn a_daemon_leaves_the_terminal_and_its_parent_succeeds() {
    let (mut report, theirs) = std::io::pipe().unwrap();
    let launcher = start("daemon", Some(theirs.into()));
    assert_eq!(end_of(&launcher), Exit::Status(0));
    let mut text = String::new();
    report.read_to_string(&mut text).unwrap();
    assert_eq!(text, "directory /, leader of its session: true, terminal: /dev/null\n");
}

fn daemon() {
    let background = daemonise().unwrap();
    let mut report = std::fs::File::from(inherited(REPORT).unwrap());
    background.ready().unwrap();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let session: i32 = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap().parse().unwrap();
    let (here, output) = (std::env::current_dir().unwrap(), std::fs::read_link("/proc/self/fd/1").unwrap());
    let leader = session == own_pid().0;
    let (here, output) = (here.display(), output.display());
    writeln!(report, "directory {here}, leader of its session: {leader}, terminal: {output}").unwrap();
}

fn a_daemon_that_fails_passes_its_status_on() {
    assert_eq!(end_of(&start("failing", None)), Exit::Status(5));
    assert_eq!(end_of(&start("silent", None)), Exit::Status(1));
}

fn a_worker_dies_with_its_parent() {
    adopt_orphans().unwrap();
    let (mut report, theirs) = std::io::pipe().unwrap();
    let parent = start("parent", Some(theirs.into()));
    let mut started = [0; 8];
    report.read_exact(&mut started).unwrap();
    assert_eq!(&started, b"working\n");
    parent.signal(Signal::KILL).unwrap();
    assert_eq!(end_of(&parent), Exit::Signal(Signal::KILL));
    let mut rest = Vec::new();
    report.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [], "the worker has ended, and did not get to the end of its sleep");
    // it would have been started in vain: its parent is not this process
    assert!(!die_with_parent(Pid(1_234_567_890)).unwrap());
}

fn parent() {
    let report = inherited(REPORT).unwrap();
    let worker = start(&format!("worker {}", own_pid()), Some(report));
    end_of(&worker);
}

/// After `a_worker_dies_with_its_parent`: this process adopts.
fn orphans_are_reaped_and_children_of_our_own_are_not() {
    // that test leaves its worker
    let patience = Instant::now() + Duration::from_secs(10);
    let shell = Launch {
        program: "/bin/sh".into(),
        arguments: ["sh", "-c", "/bin/sleep 0 & exit 7"].map(Into::into).to_vec(),
        ..Launch::default()
    };
    let child = spawn(&shell).unwrap();
    let mut reaped = 0;
    while reaped < 2 {
        reaped += reap_orphans(&[child.pid()]).unwrap();
        if let Ok(Some(exit)) = child.try_wait() {
            assert_eq!(exit, Exit::Status(7), "it was left to whoever started it");
        }
        assert!(Instant::now() < patience, "{reaped} reaped");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(reap_orphans(&[]).unwrap(), 0);
}

fn worker(parent: Pid) {
    let mut report = std::fs::File::from(inherited(REPORT).unwrap());
    assert!(die_with_parent(parent).unwrap());
    set_name("a-name-that-is-too-long").unwrap();
    assert_eq!(std::fs::read_to_string("/proc/self/comm").unwrap(), "a-name-that-is-\n");
    report.write_all(b"working\n").unwrap();
    std::thread::sleep(Duration::from_secs(60));
    report.write_all(b"still there\n").unwrap();
}
