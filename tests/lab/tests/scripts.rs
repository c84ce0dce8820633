//! The scripts that run before everything else and after it, and which user runs them. Debian's keepalived passes, too, where
//! it has the keyword.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use keepalived_lab::{Case, Daemon, Instance, Lab, Running, only_ours, patience, trial, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const PLAIN: Case = Case::PLAIN;

/// A script that says when it begins, is asked to end, and ends.
struct Sayer {
    script: PathBuf,
    said: PathBuf,
}

impl Sayer {
    fn new(lab: &Lab) -> Result<Self> {
        let (script, said) = (lab.folder().join("say.sh"), lab.folder().join("said"));
        // `say.sh WHO SECONDS`; a shell acts on TERM between two commands
        let text = format!(
            "#!/bin/sh\nsay() {{ echo \"$*\" >> {}; }}\ntrap \"say $1 TERM; exit 3\" TERM\nsay $1 begins\n\
             for n in $(seq ${{2}}0); do sleep 0.1; done\nsay $1 ends\nexit 5\n",
            said.display()
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        fs::write(&said, "")?;
        Ok(Self { script, said })
    }

    /// The scripts, as configured, and an instance that says its states in the same file.
    fn text(&self, lab: &Lab, [startup, shutdown]: [&str; 2], timeouts: &str) -> String {
        let script = self.script.display();
        let notify = lab.folder().join("notify.sh");
        fs::write(&notify, format!("#!/bin/sh\necho $3 >> {}\n", self.said.display())).expect("the folder is ours");
        fs::set_permissions(&notify, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("the file is ours");
        format!(
            "global_defs {{\n  script_user root\n  startup_script \"{script} startup {startup}\"\n  \
             shutdown_script \"{script} shutdown {shutdown}\"\n  {timeouts}\n}}\n{}",
            Instance::new(PLAIN, 200).with(&format!("notify {}", notify.display())).text(lab.router(0), &[])
        )
    }

    fn said(&self) -> Result<Vec<String>> {
        Ok(fs::read_to_string(&self.said)?.lines().map(str::to_owned).collect())
    }

    fn wait(&self, line: &str) -> Result<()> {
        let there = || Ok(self.said()?.iter().any(|said| said == line));
        wait_until(line, patience(Duration::from_secs(10)), there).with_context(|| format!("{:?}", self.said()))
    }
}

#[test]
fn they_run_before_the_first_instance_and_after_the_last() {
    trial("startup", |lab| {
        let sayer = Sayer::new(lab)?;
        let running = lab.router(0).start(&Daemon::ours(), "d", &sayer.text(lab, ["1", "1"], ""))?;
        sayer.wait("MASTER")?;
        running.stop()?;
        assert_eq!(
            sayer.said()?,
            ["startup begins", "startup ends", "BACKUP", "MASTER", "STOP", "shutdown begins", "shutdown ends"],
            "whatever their status is"
        );
        Ok(())
    });
}

#[test]
fn they_are_ended_when_their_time_is_over() {
    trial("timeouts", |lab| {
        let sayer = Sayer::new(lab)?;
        let timeouts = "startup_script_timeout 1\n  shutdown_script_timeout 1";
        let running = lab.router(0).start(&Daemon::ours(), "d", &sayer.text(lab, ["60", "60"], timeouts))?;
        sayer.wait("MASTER")?;
        running.stop()?;
        assert_eq!(
            sayer.said()?,
            ["startup begins", "startup TERM", "BACKUP", "MASTER", "STOP", "shutdown begins", "shutdown TERM"]
        );
        Ok(())
    });
}

#[test]
fn a_stop_does_not_wait_for_the_start() {
    trial("early stop", |lab| {
        let sayer = Sayer::new(lab)?;
        let text = sayer.text(lab, ["60", "0"], "startup_script_timeout 60");
        let mut running = lab.router(0).start(&Daemon::ours(), "d", &text)?;
        sayer.wait("startup begins")?;
        running.signal(Signal::TERM)?;
        sayer.wait("shutdown ends")?;
        running.wait(patience(Duration::from_secs(10)))?;
        let said = sayer.said()?;
        assert!(!said.iter().any(|line| line == "startup ends" || line == "BACKUP"), "{said:?}");
        Ok(())
    });
}

#[test]
fn the_shutdown_script_runs_after_the_startup_script_has_ended() {
    if !only_ours() {
        return; // Debian's leaves the startup script behind
    }
    trial("stubborn", |lab| {
        let sayer = Sayer::new(lab)?;
        let deaf = lab.folder().join("deaf.sh");
        let text = format!(
            "#!/bin/sh\ntrap '' TERM\necho deaf begins >> {0}\nwhile true; do sleep 0.05; echo deaf >> {0}; done\n",
            sayer.said.display()
        );
        fs::write(&deaf, text)?;
        fs::set_permissions(&deaf, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let own = format!("startup_script \"{} startup 60\"", sayer.script.display());
        let text = sayer.text(lab, ["60", "0"], "").replace(&own, &format!("startup_script {}", deaf.display()));
        let mut running = lab.router(0).start(&Daemon::ours(), "d", &text)?;
        sayer.wait("deaf begins")?;
        running.signal(Signal::TERM)?;
        sayer.wait("shutdown ends")?;
        running.wait(patience(Duration::from_secs(10)))?;
        let said = sayer.said()?;
        let shutdown = said.iter().position(|line| line == "shutdown begins").context("it begins")?;
        assert!(!said.iter().skip(shutdown).any(|line| line == "deaf"), "{said:?}");
        Ok(())
    });
}

fn runner(running: &Running) -> Option<Pid> {
    let is_it = |pid: &Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        line.windows(8).any(|words| words == b"--runner")
    };
    running.processes().into_iter().find(is_it)
}

/// One that dies just before the stop, and one that waits for its back-off when the stop comes.
#[test]
fn a_runner_that_has_died_keeps_no_script_from_running_at_the_stop() {
    if !only_ours() {
        return; // keepalived has no such process
    }
    for deaths in [1, 3] {
        trial(&format!("runner {deaths}"), |lab| {
            let sayer = Sayer::new(lab)?;
            let running = lab.router(0).start(&Daemon::ours(), "d", &sayer.text(lab, ["0", "1"], ""))?;
            sayer.wait("MASTER")?;
            for death in 1..=deaths {
                wait_until("there is a runner", patience(Duration::from_secs(10)), || Ok(runner(&running).is_some()))?;
                kill_process(runner(&running).context("a runner")?, Signal::KILL)?;
                let noticed = || running.log().matches("runner child process").count();
                if deaths > 1 {
                    wait_until("it is noticed", patience(Duration::from_secs(5)), || Ok(noticed() == death))?;
                }
            }
            running.stop()?;
            let said = sayer.said()?;
            assert_eq!(said[said.len() - 2..], ["shutdown begins", "shutdown ends"], "{said:?}");
            // what was told to one that died in this moment is lost
            assert!(deaths == 1 || said.contains(&"STOP".to_owned()), "{said:?}");
            Ok(())
        });
    }
}

/// keepalived 2.4.3 runs programs itself, and its end takes them along.
#[test]
fn what_a_check_has_started_ends_with_a_runner_that_is_killed() {
    if !only_ours() {
        return; // keepalived has no such process
    }
    trial("grandchildren", |lab| {
        let (check, stays) = (lab.folder().join("check.sh"), lab.folder().join("pids"));
        let [short, long] = [("1357", "check"), ("1358", "notify")].map(|(seconds, name)| {
            format!("#!/bin/sh\nsleep {seconds} &\necho {name} $! >> {}\nwait\n", stays.display())
        });
        let notify = lab.folder().join("notify.sh");
        for (path, text) in [(&check, short), (&notify, long)] {
            fs::write(path, text)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(&stays, "")?;
        let script = format!(
            "vrrp_script slow {{\n script {}\n interval 1000\n timeout 1000\n user root\n init_fail\n weight 1\n}}\n",
            check.display()
        );
        let instance = Instance::new(PLAIN, 200).with("track_script {\n slow\n }");
        let instance = instance.with(&format!("notify {}", notify.display())).alone(lab.router(0), &[]);
        let text = format!("global_defs {{\n script_user root\n}}\n{script}{instance}");
        let running = lab.router(0).start(&Daemon::ours(), "d", &text)?;
        let pids = |name: &str| -> Result<Vec<u32>> {
            let text = fs::read_to_string(&stays)?;
            let words = text.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            Ok(words.collect())
        };
        let lives = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
        let long = patience(Duration::from_secs(15));
        wait_until("both have begun", long, || Ok(!pids("check")?.is_empty() && !pids("notify")?.is_empty()))?;
        let (of_check, of_notice) = (pids("check")?[0], pids("notify")?[0]);
        kill_process(runner(&running).context("a runner")?, Signal::KILL)?;
        wait_until("what the check has started has ended", long, || Ok(!lives(of_check)))?;
        assert!(lives(of_notice), "a notification may start what goes on");
        wait_until("the check runs again", long, || Ok(pids("check")?.len() > 1))?;
        running.stop()?;
        kill_process(Pid::from_raw(i32::try_from(of_notice)?).context("a number")?, Signal::KILL)?;
        Ok(())
    });
}

/// What `script` writes to a file that it gets as an argument, as the notify script of an instance.
fn written(lab: &Lab, name: &str, globals: &str, script: &str) -> Result<String> {
    let out = lab.folder().join(format!("{name}.out"));
    fs::write(&out, "")?;
    fs::set_permissions(&out, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
    let line = format!("notify_master \"{script} {}\"", out.display());
    let text =
        format!("global_defs {{\n{globals}\n}}\n{}", Instance::new(PLAIN, 200).with(&line).text(lab.router(0), &[]));
    let running = lab.router(0).start(&Daemon::ours(), name, &text)?;
    let read = || Ok(fs::read_to_string(&out)?.trim().to_owned());
    wait_until("the script has run", patience(Duration::from_secs(10)), || Ok(!read()?.is_empty()))?;
    running.stop()?;
    read()
}

#[test]
fn they_have_the_groups_that_are_configured() {
    if !only_ours() {
        return; // Debian's has no such keyword
    }
    trial("groups", |lab| {
        let script = lab.folder().join("groups.sh");
        fs::write(&script, "#!/bin/sh\nid -G > $1\n")?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        fs::set_permissions(lab.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        // its package puts it into groups
        let id = |option: &str| -> Result<String> {
            let output = std::process::Command::new("id").args([option, "frr"]).output()?;
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let (all, own) = (id("-G")?, id("-g")?);
        assert_ne!(all, own);
        let script = script.display().to_string();
        assert_eq!(written(lab, "own", "script_user frr", &script)?, own);
        assert_eq!(written(lab, "all", "script_user frr\nset_supplementary_groups", &script)?, all);
        Ok(())
    });
}

#[test]
fn a_link_to_a_script_is_what_runs_if_that_is_configured() {
    if !only_ours() {
        return; // Debian's has no such keyword
    }
    trial("links", |lab| {
        let (script, link) = (lab.folder().join("named.sh"), lab.folder().join("link.sh"));
        fs::write(&script, "#!/bin/sh\necho $0 > $1\n")?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        std::os::unix::fs::symlink(&script, &link)?;
        let link = link.display().to_string();
        assert_eq!(written(lab, "link", "script_user root\nuse_symlink_paths", &link)?, link);
        Ok(())
    });
}
