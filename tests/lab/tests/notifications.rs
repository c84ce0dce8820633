//! Who is told when instances and sync groups change their state: scripts, and named pipes. The words are keepalived's
//! (interfaces.md sections 1 and 2), and the same tests run against Debian's.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use keepalived_lab::{Case, Daemon, Instance, Lab, Router, Running, only_ours, patience, trial, wait_until};
use rustix::process::Signal;

const PLAIN: Case = Case::PLAIN;
const EVERY: [&str; 4] = ["master", "backup", "fault", "stop"];

/// A script that appends its arguments to a file, and the file.
struct Teller {
    script: PathBuf,
    told: PathBuf,
}

impl Teller {
    fn new(lab: &Lab) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let (script, told) = (lab.folder().join("tell.sh"), lab.folder().join("told"));
        // one write: two scripts may run at the same time
        fs::write(&script, format!("#!/bin/sh\necho \"$*\" >> {}\n", told.display()))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        fs::write(&told, "")?;
        Ok(Self { script, told })
    }

    /// `notify_STATE` for each state, and `notify`; each says `who` first.
    fn lines(&self, who: &str) -> String {
        let script = self.script.display();
        let of_state = EVERY.map(|state| format!("notify_{state} \"{script} {who} {state}\"\n  "));
        format!("{}notify \"{script} {who} any\"", of_state.concat())
    }

    fn told(&self) -> Result<Vec<String>> {
        Ok(fs::read_to_string(&self.told)?.lines().map(str::to_owned).collect())
    }

    fn wait(&self, what: &str, lines: usize) -> Result<Vec<String>> {
        let told = || Ok(self.told()?.len() >= lines);
        wait_until(what, patience(Duration::from_secs(10)), told).with_context(|| format!("{:?}", self.told()))?;
        // nothing more comes
        std::thread::sleep(Duration::from_millis(300));
        self.told()
    }
}

fn global(lines: &str) -> String {
    format!("global_defs {{\n  router_id r0\n  script_user root\n  {lines}\n}}\n")
}

fn start(router: &Router, text: &str) -> Result<Running> {
    router.start(&Daemon::ours(), "d", text)
}

/// Two that began together may end in either order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn an_instance_tells_scripts_in_keepalived_s_words() {
    trial("scripts", |lab| {
        let (a, teller) = (lab.router(0), Teller::new(lab)?);
        let text = global("") + &Instance::new(PLAIN, 200).with(&teller.lines("x")).text(a, &[]);
        let running = start(a, &text)?;
        let first = teller.wait("BACKUP and MASTER are told", 4)?;
        assert_eq!(
            sorted(first),
            ["x any INSTANCE V7 BACKUP 200", "x any INSTANCE V7 MASTER 200", "x backup", "x master"]
        );
        lab.pull(0, 0)?;
        let fault = teller.wait("FAULT is told", 6)?;
        assert_eq!(sorted(fault[4..].to_vec()), ["x any INSTANCE V7 FAULT 200", "x fault"]);
        lab.plug(0, 0)?;
        teller.wait("BACKUP and MASTER are told again", 10)?;
        running.signal(Signal::TERM)?;
        let stop = teller.wait("STOP is told", 12)?;
        assert_eq!(sorted(stop[10..].to_vec()), ["x any INSTANCE V7 STOP 200", "x stop"]);
        Ok(())
    });
}

/// interfaces.md section 1: of a group the priority is always 0.
#[test]
fn a_group_tells_scripts_in_keepalived_s_words() {
    trial("group scripts", |lab| {
        let (a, teller) = (lab.router(0), Teller::new(lab)?);
        let group = format!("vrrp_sync_group G {{\n  group {{\n    V7\n    V8\n  }}\n  {}\n}}\n", teller.lines("g"));
        let instances = [7, 8].map(|vrid| Instance::new(PLAIN, 200).vrid(vrid).text(a, &[]));
        let running = start(a, &(global("") + &group + &instances.concat()))?;
        let first = teller.wait("BACKUP and MASTER are told", 4)?;
        assert_eq!(sorted(first), ["g any GROUP G BACKUP 0", "g any GROUP G MASTER 0", "g backup", "g master"]);
        lab.pull(0, 0)?;
        let fault = teller.wait("FAULT is told", 6)?;
        assert_eq!(sorted(fault[4..].to_vec()), ["g any GROUP G FAULT 0", "g fault"]);
        lab.plug(0, 0)?;
        teller.wait("BACKUP and MASTER are told again", 10)?;
        running.signal(Signal::TERM)?;
        let stop = teller.wait("STOP is told", 12)?;
        assert_eq!(sorted(stop[10..].to_vec()), ["g any GROUP G STOP 0", "g stop"]);
        Ok(())
    });
}

/// The other router may not preempt what it hears (`nopreempt`), and cannot hear it: each is master, until one hears the other again.
#[test]
fn a_master_that_hears_a_lower_claim_tells_a_script() {
    trial("lower claim", |lab| {
        let (a, b, teller) = (lab.router(0), lab.router(1), Teller::new(lab)?);
        let line = format!("notify_master_rx_lower_pri \"{} lower\"", teller.script.display());
        let _a = start(a, &(global("") + &Instance::new(PLAIN, 200).with(&line).text(a, &[])))?;
        wait_until("it has the address", patience(Duration::from_secs(10)), || a.has(PLAIN.vip(7)))?;
        lab.part(&[0, 1], 0, true)?;
        let _b = start(b, &(global("") + &Instance::new(PLAIN, 100).text(b, &[])))?;
        // b says nothing if it hears a before its own next advert is due
        for _ in 0..20 {
            wait_until("both have the address", patience(Duration::from_secs(10)), || b.has(PLAIN.vip(7)))?;
            assert!(teller.told()?.is_empty());
            lab.part(&[0, 1], 0, false)?;
            wait_until("b has yielded", patience(Duration::from_secs(10)), || Ok(!b.has(PLAIN.vip(7))?))?;
            std::thread::sleep(Duration::from_secs(1));
            if !teller.told()?.is_empty() {
                break;
            }
            lab.part(&[0, 1], 0, true)?;
        }
        let told = teller.wait("the lower claim is told", 1)?;
        assert!(told.iter().all(|line| line == "lower"), "{told:?}");
        Ok(())
    });
}

#[test]
fn a_reload_that_removes_an_instance_tells_of_it() {
    trial("deleted", |lab| {
        let (a, teller) = (lab.router(0), Teller::new(lab)?);
        let script = teller.script.display();
        let other = Instance::new(PLAIN, 200).vrid(8).text(a, &[]);
        let seven = |extra: &str| {
            let lines = format!("notify \"{script} x\"\n  {extra}");
            global("") + &Instance::new(PLAIN, 200).with(&lines).text(a, &[]) + &other
        };
        let running = start(a, &seven(""))?;
        teller.wait("BACKUP and MASTER are told", 2)?;
        running.reload(&(global("") + &other))?;
        let told = teller.wait("it is told as FAULT", 3)?;
        assert_eq!(told[2], "x INSTANCE V7 FAULT 200");
        running.reload(&seven(&format!("notify_deleted \"{script} y\"")))?;
        teller.wait("BACKUP and MASTER are told", 5)?;
        running.reload(&(global("") + &other))?;
        let told = teller.wait("it is told as DELETED", 7)?;
        assert_eq!(sorted(told[5..].to_vec()), ["x INSTANCE V7 DELETED 200", "y"]);
        Ok(())
    });
}

/// A reader of a named pipe.
struct Pipe {
    reader: std::process::Child,
    read: PathBuf,
}

impl Pipe {
    fn new(lab: &Lab, path: &std::path::Path) -> Result<Self> {
        let read = lab.folder().join("read");
        // of a pipe before
        fs::write(&read, "")?;
        let mut command = std::process::Command::new("sh");
        // it is made by the daemon, or has been
        command.arg("-c").arg(format!(
            "while ! test -p {path}; do sleep 0.02; done; exec cat {path} > {read}",
            path = path.display(),
            read = read.display()
        ));
        Ok(Self { reader: command.spawn()?, read })
    }

    fn wait(&self, lines: usize) -> Result<Vec<String>> {
        let read = || fs::read_to_string(&self.read).unwrap_or_default();
        let there = || Ok(read().lines().count() >= lines);
        wait_until("lines are read", patience(Duration::from_secs(10)), there).with_context(read)?;
        Ok(read().lines().map(str::to_owned).collect())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.reader.kill().ok();
        self.reader.wait().ok();
    }
}

#[test]
fn a_pipe_is_told_of_instances_and_groups_in_keepalived_s_order() {
    trial("pipe", |lab| {
        let a = lab.router(0);
        let path = lab.folder().join("pipe");
        let path = path.as_path();
        let group = "vrrp_sync_group G {\n  group {\n    V7\n    V8\n  }\n}\n";
        let instances = [7, 8].map(|vrid| Instance::new(PLAIN, 200).vrid(vrid).text(a, &[]));
        let text = global(&format!("vrrp_notify_fifo {}", path.display())) + group + &instances.concat();
        let pipe = Pipe::new(lab, path)?;
        let running = start(a, &text)?;
        pipe.wait(6)?;
        running.stop()?;
        let told = pipe.wait(9)?;
        let line = |kind: &str, name: &str, state: &str| {
            let priority = if kind == "GROUP" { 0 } else { 200 };
            format!("{kind} \"{name}\" {state} {priority}")
        };
        assert_eq!(
            told[..3],
            [line("GROUP", "G", "BACKUP"), line("INSTANCE", "V7", "BACKUP"), line("INSTANCE", "V8", "BACKUP")]
        );
        for (at, state) in [(3, "MASTER"), (6, "STOP")] {
            assert_eq!(
                sorted(told[at..at + 2].to_vec()),
                [line("INSTANCE", "V7", state), line("INSTANCE", "V8", state)],
                "{told:?}"
            );
            assert_eq!(told[at + 2], line("GROUP", "G", state));
        }
        assert_eq!(told.len(), 9);
        Ok(())
    });
}

#[test]
fn a_pipe_is_told_of_priorities_if_that_is_asked_for() {
    trial("priorities", |lab| {
        let a = lab.router(0);
        let (path, number) = (lab.folder().join("pipe"), lab.folder().join("number"));
        fs::write(&number, "0")?;
        let tracked = format!("track_file f {{\n  file {}\n  weight 1\n}}\n", number.display());
        const KEYWORD: &str = "notify_priority_changes";
        let group =
            format!("vrrp_sync_group G {{\n  group {{\n    V7\n  }}\n  sync_group_tracking_weight\n  {KEYWORD}\n}}\n");
        for (of_all, of_group, own) in [("", "", KEYWORD), ("vrrp_notify_priority_changes", "", ""), ("", &*group, "")]
        {
            fs::write(&number, "0")?;
            let lines = format!("{own}\n  track_file {{\n    f\n  }}");
            let text = global(&format!("vrrp_notify_fifo {}\n  {of_all}", path.display()))
                + &tracked
                + of_group
                + &Instance::new(PLAIN, 100).with(&lines).text(a, &[]);
            let pipe = Pipe::new(lab, &path)?;
            let running = start(a, &text)?;
            let of_instance = |lines: Vec<String>| -> Vec<String> {
                lines.into_iter().filter(|line| line.starts_with("INSTANCE")).collect()
            };
            let states = if of_group.is_empty() { 2 } else { 4 };
            let told = of_instance(pipe.wait(states)?);
            assert_eq!(told, ["INSTANCE \"V7\" BACKUP 100", "INSTANCE \"V7\" MASTER 100"]);
            fs::write(&number, "20")?;
            let told = of_instance(pipe.wait(states + 1)?);
            assert_eq!(told[2], "INSTANCE \"V7\" MASTER_PRIORITY 120", "{of_all} {of_group}");
            running.stop()?;
        }
        Ok(())
    });
}

/// A program that reads a named pipe: it says that it begins, then what it reads.
struct Reader {
    script: PathBuf,
    read: PathBuf,
}

impl Reader {
    fn new(lab: &Lab) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let (script, read) = (lab.folder().join("reader.sh"), lab.folder().join("read"));
        // NUL octets follow lines of the checker process
        let text = format!("#!/bin/sh\necho begins $1 >> {0}\nexec sed -u 's/\\x00//g' < $2 >> {0}\n", read.display());
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        fs::write(&read, "")?;
        Ok(Self { script, read })
    }

    fn lines(&self) -> Result<Vec<String>> {
        Ok(fs::read_to_string(&self.read)?.lines().map(str::to_owned).collect())
    }

    fn wait(&self, line: &str) -> Result<()> {
        let there = || Ok(self.lines()?.iter().any(|read| read == line));
        wait_until(line, patience(Duration::from_secs(10)), there).with_context(|| format!("{:?}", self.lines()))
    }

    fn begun(&self) -> Result<usize> {
        Ok(self.lines()?.iter().filter(|line| line.starts_with("begins")).count())
    }
}

/// A virtual server whose real server does not answer.
const BALANCED: &str = "virtual_server 192.0.2.80 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\ndelay_loop 1\n\
                        real_server 127.0.0.1 81 {\nTCP_CHECK {\nconnect_timeout 1\n}\n}\n}\n";

#[test]
fn two_processes_write_to_one_pipe_and_one_program_reads_it() {
    if !only_ours() {
        return; // Debian's needs IPVS
    }
    trial("shared pipe", |lab| {
        let (a, reader) = (lab.router(0), Reader::new(lab)?);
        let path = lab.folder().join("pipe");
        let globals = |more: &str| {
            let script = reader.script.display();
            let pipe = path.display();
            global(&format!(
                "lvs_backend nftables\n  notify_fifo {pipe}\n  notify_fifo_script \"{script} all\"\n  {more}"
            ))
        };
        let instance = Instance::new(PLAIN, 200).text(a, &[]);
        let running = start(a, &(globals("") + &instance + BALANCED))?;
        reader.wait("INSTANCE \"V7\" MASTER 200")?;
        reader.wait("VS [192.0.2.80]:tcp:80 DOWN")?;
        assert_eq!(reader.begun()?, 1, "{:?}", reader.lines()?);
        // without virtual servers, the vrrp process has the reader started
        running.reload(&(globals("") + &instance))?;
        wait_until("it has another reader", patience(Duration::from_secs(10)), || Ok(reader.begun()? == 2))?;
        // two that read at once would each hear a part of a line
        wait_until("it has no reader but that", patience(Duration::from_secs(10)), || {
            let is_one = |pid: &rustix::process::Pid| {
                let words = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
                words.starts_with(b"sed")
            };
            Ok(running.processes().iter().filter(|pid| is_one(pid)).count() == 1)
        })?;
        lab.pull(0, 0)?;
        reader.wait("INSTANCE \"V7\" FAULT 200")?;
        running.stop()?;
        assert_eq!(reader.begun()?, 2, "{:?}", reader.lines()?);
        assert!(!path.exists(), "who made the pipe removes it");
        Ok(())
    });
}

#[test]
fn a_pipe_of_a_user_has_a_reader_and_hears_states_after_a_reload() {
    if !only_ours() {
        return; // Debian's begins a new reader at a reload, which comes too late for the states
    }
    trial("states on reload", |lab| {
        use std::os::unix::fs::MetadataExt as _;
        let (a, reader) = (lab.router(0), Reader::new(lab)?);
        let path = lab.folder().join("pipe");
        let text = |more: &str| {
            let (script, pipe) = (reader.script.display(), path.display());
            let fifo = format!("vrrp_notify_fifo {pipe} nobody\n  vrrp_notify_fifo_script \"{script} vrrp\"\n  {more}");
            global(&fifo) + &Instance::new(PLAIN, 200).text(a, &[])
        };
        let running = start(a, &text("fifo_write_vrrp_states_on_reload"))?;
        reader.wait("INSTANCE \"V7\" MASTER 200")?;
        assert_eq!(fs::metadata(&path)?.uid(), 65534);
        let masters = || -> Result<usize> { Ok(reader.lines()?.iter().filter(|line| line.contains("MASTER")).count()) };
        assert_eq!(masters()?, 1);
        running.reload(&text("fifo_write_vrrp_states_on_reload\n  vrrp_garp_master_delay 7"))?;
        wait_until("the state is told", patience(Duration::from_secs(10)), || Ok(masters()? == 2))?;
        running.stop()?;
        Ok(())
    });
}

#[test]
fn a_script_learns_why_and_who_the_master_is() {
    if !only_ours() {
        return; // keepalived's scripts learn no cause
    }
    trial("cause", |lab| {
        let [a, b] = [lab.router(0), lab.router(1)];
        let teller = Teller::new(lab)?;
        let env = lab.folder().join("env.sh");
        fs::write(
            &env,
            format!("#!/bin/sh\necho \"$KEEPALIVED_MASTER: $KEEPALIVED_CAUSE\" >> {}\n", teller.told.display()),
        )?;
        fs::set_permissions(&env, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let line = format!("notify_backup \"{}\"", env.display());
        let _a = start(a, &(global("") + &Instance::new(PLAIN, 100).with(&line).text(a, &[])))?;
        assert_eq!(teller.wait("the start is told", 1)?, [": started"]);
        let running = b.start(&Daemon::ours(), "d", &Instance::new(PLAIN, 200).alone(b, &[]))?;
        let told = teller.wait("the other master is told", 2)?;
        let address = PLAIN.source(b);
        assert_eq!(told[1], format!("{address}: {address} has the higher claim (priority 200)"));
        drop(running);
        Ok(())
    });
}

#[test]
fn a_script_that_lasts_is_not_run_twice_at_once_and_the_last_state_is_told() {
    if !only_ours() {
        return; // keepalived runs them at the same time
    }
    trial("lasting", |lab| {
        let (a, teller) = (lab.router(0), Teller::new(lab)?);
        let slow = lab.folder().join("slow.sh");
        let told = teller.told.display();
        fs::write(&slow, format!("#!/bin/sh\necho \"begin $3\" >> {told}\nsleep 2\necho \"end $3\" >> {told}\n"))?;
        fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let line = format!("notify \"{}\"", slow.display());
        let _running = start(a, &(global("") + &Instance::new(PLAIN, 200).with(&line).text(a, &[])))?;
        teller.wait("the start is told", 1)?;
        wait_until("it is master", patience(Duration::from_secs(5)), || a.has(PLAIN.vip(7)))?;
        for _ in 0..2 {
            lab.pull(0, 0)?;
            wait_until("it is in fault", patience(Duration::from_secs(5)), || Ok(!a.has(PLAIN.vip(7))?))?;
            lab.plug(0, 0)?;
            wait_until("it is master", patience(Duration::from_secs(5)), || a.has(PLAIN.vip(7)))?;
        }
        let last = || Ok(teller.told()?.last().is_some_and(|line| line == "end MASTER"));
        wait_until("the last state is told", patience(Duration::from_secs(20)), last)?;
        let told = teller.told()?;
        for pair in told.chunks(2) {
            let [begin, end] = pair else { panic!("{told:?}") };
            assert_eq!(begin.strip_prefix("begin"), end.strip_prefix("end"), "one at a time: {told:?}");
        }
        Ok(())
    });
}
