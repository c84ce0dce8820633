//! With Debian's `snmpd` as the master, on sockets in a folder of their own.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keepalived_core::time::Instant as At;
use keepalived_state::{Event, Record, Subject};
use keepalived_surface::snmp::{Agent, Effect, Note, Write};

use crate::observed::parse;
use crate::scene::Scene;
use crate::wire::{Master, everything, shown};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TREES: [&str; 3] = [".1.3.6.1.4.1.9586.100.5", ".1.3.6.1.2.1.68", ".1.3.6.1.2.1.207"];

fn program(name: &str) -> Command {
    let path = ["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|it| it.exists());
    let mut command = Command::new(path.unwrap_or_else(|| panic!("no {name}: apt-get install snmpd snmp snmptrapd")));
    command.env("MIBS", "").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// A folder, and the programs that run in it; all gone at the end.
struct Stage {
    folder: PathBuf,
    children: Vec<Child>,
}

impl Stage {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("keepalived-snmp-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, children: vec![] }
    }

    fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn start(&mut self, command: &mut Command) {
        let log = std::fs::File::create(self.folder.join(format!("log{}", self.children.len()))).unwrap();
        command.current_dir(&self.folder).stdout(log.try_clone().unwrap()).stderr(log);
        command.env("SNMP_PERSISTENT_DIR", &self.folder);
        self.children.push(command.spawn().unwrap());
    }

    /// Starts `snmpd`; its number among the children.
    fn snmpd(&mut self) -> usize {
        let text = format!(
            "com2secunix all default public\ngroup all v2c all\nview everything included .1\n\
             access all \"\" any noauth exact everything everything none\n\
             master agentx\nagentXSocket {}\nagentXTimeout 30\ntrap2sink unix:{} public\n",
            self.at("agentx"),
            self.at("traps"),
        );
        std::fs::write(self.folder.join("snmpd.conf"), text).unwrap();
        let (socket, pid) = (format!("unix:{}", self.at("snmp")), self.at("pid"));
        // what is left of the one before would be taken for this one
        for old in ["snmp", "agentx"] {
            std::fs::remove_file(self.folder.join(old)).ok();
        }
        let mut command = program("snmpd");
        command.args(["-f", "-Le", "-C", "-c", &self.at("snmpd.conf"), "-p", &pid, &socket]);
        self.start(&mut command);
        self.children.len() - 1
    }

    fn kill(&mut self, child: usize) {
        self.children[child].kill().unwrap();
        self.children[child].wait().unwrap();
    }

    /// What a tool of net-snmp prints.
    fn ask(&self, tool: &str, words: &[&str]) -> String {
        let mut command = program(tool);
        command.args(["-v2c", "-c", "public", "-On", "-t", "30", "-r", "0", &format!("unix:{}", self.at("snmp"))]);
        let output = command.args(words).current_dir(&self.folder).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn until<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(got) = get() {
            return got;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

enum Order {
    Record(Record),
    Stop,
}

/// An agent with a blocking loop.
struct Driver {
    orders: Sender<Order>,
    effects: Receiver<Effect>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    fn start(socket: String, scene: Scene) -> Self {
        let (orders, inbox) = channel();
        let (outbox, effects) = channel();
        let thread = std::thread::spawn(move || drive(&socket, &scene, &inbox, &outbox));
        Self { orders, effects, thread: Some(thread) }
    }

    /// What the next thing is that is not sent or connected.
    fn next(&self) -> Effect {
        self.effects.recv_timeout(PATIENCE).unwrap()
    }

    fn ready(&self) {
        until("no session", || (self.next() == Effect::Note(Note::Ready)).then_some(()));
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.orders.send(Order::Stop).ok();
        self.thread.take().unwrap().join().ok();
    }
}

fn drive(socket: &str, scene: &Scene, inbox: &Receiver<Order>, outbox: &Sender<Effect>) {
    let began = Instant::now();
    let now = || At::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap());
    let mut agent = Agent::new(now(), everything());
    let mut stream: Option<UnixStream> = None;
    let mut octets = [0; 65_536];
    agent.update(scene.world(), &mut Vec::new());
    loop {
        let mut out = Vec::new();
        match inbox.try_recv() {
            Ok(Order::Record(record)) => agent.record(scene.world(), &record, &mut out),
            Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {}
        }
        agent.handle_timeout(now(), &mut out);
        match stream.as_mut().map(|stream| stream.read(&mut octets)) {
            None => std::thread::sleep(Duration::from_millis(10)),
            Some(Ok(0)) => {
                stream = None;
                agent.lost(now(), "it closed the connection", &mut out);
            }
            Some(Ok(read)) => agent.receive(now(), &octets[..read], scene.world(), &mut out),
            Some(Err(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Some(Err(error)) => {
                stream = None;
                agent.lost(now(), error.to_string(), &mut out);
            }
        }
        while !out.is_empty() {
            let effects = std::mem::take(&mut out);
            for effect in effects {
                match effect {
                    Effect::Connect => match UnixStream::connect(socket) {
                        Ok(connected) => {
                            connected.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
                            stream = Some(connected);
                            agent.connected(now(), &mut out);
                        }
                        Err(error) => agent.lost(now(), error.to_string(), &mut out),
                    },
                    Effect::Send(octets) => {
                        // a master that is gone is seen by the next read
                        stream.as_mut().map(|stream| stream.write_all(&octets));
                    }
                    Effect::Disconnect => stream = None,
                    effect @ (Effect::Write(_) | Effect::Note(_)) => {
                        outbox.send(effect).ok();
                    }
                }
            }
        }
    }
}

/// What the agent has, without any `snmpd`.
fn expected(scene: &Scene, root: &str) -> Vec<(String, String)> {
    let values = Master::new(scene.clone(), everything()).walk(root);
    values.iter().map(|(oid, value)| (oid.to_string(), shown(value))).collect()
}

#[test]
fn a_walk_shows_every_object_as_it_is() {
    let mut stage = Stage::new("walk");
    stage.snmpd();
    let scene = Scene::observed();
    let driver = Driver::start(stage.at("agentx"), scene.clone());
    driver.ready();
    for root in TREES {
        let expected = expected(&scene, root);
        for tool in ["snmpwalk", "snmpbulkwalk"] {
            // the answers to our registrations may still be on their way
            let mut text = String::new();
            let found = until(&format!("{tool} {root}"), || {
                text = stage.ask(tool, &[root]);
                let found: Vec<_> = parse(&text).into_iter().map(|(oid, value)| (oid.to_string(), value)).collect();
                (found.len() >= expected.len()).then_some(found)
            });
            let wrong: Vec<_> = found.iter().zip(&expected).filter(|(found, expected)| found != expected).collect();
            assert!(wrong.is_empty() && found.len() == expected.len(), "{tool}: {wrong:?}\n{text}");
        }
    }
    // sysORTable
    let text = stage.ask("snmpwalk", &[".1.3.6.1.2.1.1.9.1.3"]);
    assert!(text.contains("\"The MIB module for KEEPALIVED-VRRP\""), "{text}");
}

#[test]
fn what_is_set_is_told_to_the_caller() {
    let mut stage = Stage::new("set");
    stage.snmpd();
    let driver = Driver::start(stage.at("agentx"), Scene::observed());
    driver.ready();
    let instances = ".1.3.6.1.4.1.9586.100.5.2.3.1";
    let weight = ".1.3.6.1.4.1.9586.100.5.3.4.1.7.1.2";
    let set = |oid: &str, kind, value| stage.ask("snmpset", &[oid, kind, value]);
    until("no tree", || stage.ask("snmpget", &[weight]).contains("INTEGER: 1").then_some(()));
    let answer = set(weight, "i", "300");
    assert!(answer.contains("INTEGER: 300"), "{answer}");
    assert_eq!(driver.next(), Effect::Write(Write::RealServerWeight { service: 0, server: 1, weight: 300 }));
    let answer = set(&format!("{instances}.13.1"), "i", "2");
    assert!(answer.contains("INTEGER: 2"), "{answer}");
    assert_eq!(driver.next(), Effect::Write(Write::Preempt { instance: "V1".into(), preempt: false }));
    for (oid, kind, value, reason) in [
        (format!("{instances}.7.1"), "i", "0", "wrongValue"),
        (format!("{instances}.7.1"), "s", "x", "wrongType"),
        (format!("{instances}.27.3"), "i", "2", "noAccess"),
        (format!("{instances}.8.1"), "i", "2", "notWritable"),
    ] {
        let answer = set(&oid, kind, value);
        assert!(answer.contains(reason), "{oid}: {answer}");
    }
    assert!(driver.effects.try_recv().is_err(), "nothing of that was carried out");
}

#[test]
fn a_trap_arrives_at_a_receiver() {
    let mut stage = Stage::new("trap");
    std::fs::write(stage.folder.join("snmptrapd.conf"), "disableAuthorization yes\n").unwrap();
    let (log, listen) = (stage.at("received"), format!("unix:{}", stage.at("traps")));
    let mut command = program("snmptrapd");
    let (configuration, pid) = (stage.at("snmptrapd.conf"), stage.at("trap-pid"));
    command.args(["-f", "-Lf", &log, "-On", "-C", "-c", &configuration, "-p", &pid, &listen]);
    stage.start(&mut command);
    until("no snmptrapd", || stage.folder.join("traps").exists().then_some(()));
    stage.snmpd();
    let scene = Scene::observed();
    let driver = Driver::start(stage.at("agentx"), scene.clone());
    driver.ready();
    let of = scene.snapshot.balance.services[0].name.clone();
    let server = scene.snapshot.balance.services[0].servers[0].name.clone();
    let subject = Subject::RealServer { server, of };
    let record = Record { at: scene.now, subject, event: Event::Down("refused".into()) };
    driver.orders.send(Order::Record(record)).unwrap();
    let text = until("no trap", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.contains(".9586.100.5.3.5.0.1").then_some(text)
    });
    for part in [".9586.100.5.3.4.1.6 = INTEGER: 2", ".9586.100.5.1.2.0 = STRING: \"labB\""] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_walk_goes_on_when_the_master_is_started_again_in_the_middle_of_it() {
    let mut stage = Stage::new("again");
    let first = stage.snmpd();
    let scene = Scene::observed();
    let driver = Driver::start(stage.at("agentx"), scene.clone());
    driver.ready();
    let expected = expected(&scene, TREES[0]);
    let mut found = vec![];
    let mut at = TREES[0].to_owned();
    while found.len() < expected.len() {
        if found.len() == expected.len() / 2 {
            stage.kill(first);
            assert!(matches!(driver.next(), Effect::Note(Note::Lost(_))));
            stage.snmpd();
            driver.ready();
        }
        let text = until("no answer", || {
            let text = stage.ask("snmpgetnext", &[&at]);
            // until the trees are registered, the answer is an object of another one
            parse(&text).keys().any(|oid| oid.to_string().starts_with(TREES[0])).then_some(text)
        });
        let (oid, value) = parse(&text).into_iter().next().unwrap();
        at = oid.to_string();
        found.push((at.clone(), value));
    }
    assert_eq!(found, expected);
}
