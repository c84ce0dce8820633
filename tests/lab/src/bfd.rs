//! Neighbours for BFD: Debian's keepalived, FRR's bfdd, BIRD.

use std::fs::File;
use std::net::IpAddr;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::daemon::{Daemon, Running, crash};
use crate::frr::{self, Frr};
use crate::network::Router;
use crate::wait::{patience, wait_until};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbor {
    /// Debian's keepalived.
    Debian,
    /// FRR's bfdd with its zebra.
    Frr,
    /// BIRD.
    Bird,
}

/// The times of a session, the same in both directions.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Milliseconds from one packet to the next.
    pub interval: u32,
    /// So many may be missing.
    pub multiplier: u8,
}

/// A neighbour that runs; killed when dropped.
#[derive(Debug)]
pub struct BfdPeer {
    which: Neighbor,
    router: std::path::PathBuf,
    namespace: String,
    keepalived: Option<Running>,
    children: Vec<Child>,
}

impl Neighbor {
    /// Why it cannot run here, if it cannot.
    #[must_use]
    pub fn lack(self) -> Option<&'static str> {
        match self {
            Self::Debian => None,
            Self::Frr => Frr::lack(),
            Self::Bird if crate::sandbox::find("bird").is_none() => Some("package bird2 is not installed"),
            Self::Bird => None,
        }
    }
}

impl BfdPeer {
    /// Starts a program on `router` with one session, from `own` to `neighbor` through `eth0`.
    pub fn start(which: Neighbor, router: &Router, own: IpAddr, neighbor: IpAddr, times: Times) -> Result<Self> {
        Self::start_many(which, router, &[(own, neighbor)], times)
    }

    /// The same with a session for each pair of its own address and the neighbour's.
    pub fn start_many(which: Neighbor, router: &Router, ends: &[(IpAddr, IpAddr)], times: Times) -> Result<Self> {
        let folder = router.folder().join(format!("bfd-{which:?}"));
        std::fs::create_dir_all(&folder)?;
        let Times { interval, multiplier } = times;
        let mut peer = Self {
            which,
            router: folder.clone(),
            namespace: router.namespace().name().to_owned(),
            keepalived: None,
            children: Vec::new(),
        };
        match which {
            Neighbor::Debian => {
                let one = |(number, (own, neighbor)): (usize, &(IpAddr, IpAddr))| {
                    let name = if number == 0 { "B".to_owned() } else { format!("B{number}") };
                    format!(
                        "bfd_instance {name} {{\n neighbor_ip {neighbor}\n source_ip {own}\n min_rx {interval}\n min_tx {interval}\n multiplier {multiplier}\n}}\n"
                    )
                };
                let text: String = ends.iter().enumerate().map(one).collect();
                peer.keepalived = Some(router.start(&Daemon::debian(), "bfd-Debian", &text)?);
            }
            Neighbor::Frr => {
                std::fs::write(folder.join("zebra.conf"), "hostname z\n")?;
                let one = |(own, neighbor): &(IpAddr, IpAddr)| {
                    format!(
                        " peer {neighbor} local-address {own} interface eth0\n  detect-multiplier {multiplier}\n  receive-interval {interval}\n  transmit-interval {interval}\n  no shutdown\n !\n"
                    )
                };
                let sessions: String = ends.iter().map(one).collect();
                std::fs::write(folder.join("bfdd.conf"), format!("bfd\n{sessions}!\n"))?;
                // what an earlier zebra left would be taken for this one
                drop(std::fs::remove_file(folder.join("zserv.api")));
                peer.children.push(frr::spawn(router, &folder, "zebra")?);
                let ready = || Ok(folder.join("zserv.api").exists());
                wait_until("zebra listens", patience(Duration::from_secs(2)), ready)?;
                peer.children.push(frr::spawn(router, &folder, "bfdd")?);
            }
            Neighbor::Bird => {
                let one =
                    |(own, neighbor): &(IpAddr, IpAddr)| format!(" neighbor {neighbor} dev \"eth0\" local {own};\n");
                let sessions: String = ends.iter().map(one).collect();
                let text = format!(
                    "log stderr all;\nrouter id 192.0.2.1;\nprotocol device {{}}\nprotocol bfd {{\n interface \"eth0\" {{\n  min rx interval {interval} ms;\n  min tx interval {interval} ms;\n  idle tx interval 1 s;\n  multiplier {multiplier};\n }};\n{sessions}}}\n"
                );
                std::fs::write(folder.join("bird.conf"), text)?;
                let log = File::options().create(true).append(true).open(folder.join("bird.log"))?;
                let mut command = router.namespace().command("bird");
                command.arg("-f").arg("-c").arg(folder.join("bird.conf")).arg("-s").arg(folder.join("bird.ctl"));
                command.arg("-P").arg(folder.join("bird.pid")).stdout(log.try_clone()?).stderr(log);
                peer.children.push(command.spawn().with_context(|| format!("{command:?}"))?);
            }
        }
        Ok(peer)
    }

    /// Whether it says that its session is up.
    pub fn is_up(&self) -> Result<bool> {
        Ok(match self.which {
            Neighbor::Debian => {
                let log = self.keepalived.as_ref().map(Running::log).unwrap_or_default();
                let last = log.lines().rfind(|line| line.contains("(B) Entering "));
                last.is_some_and(|line| line.contains("Entering Up state"))
            }
            Neighbor::Frr => self.ask("show bfd peers")?.contains("Status: up"),
            Neighbor::Bird => {
                let sessions = self.ask("show bfd sessions")?;
                sessions.lines().any(|line| line.split_whitespace().nth(2) == Some("Up"))
            }
        })
    }

    /// Waits until it says that its session is up, or no longer.
    pub fn wait(&self, up: bool) -> Result<()> {
        let what = format!("{:?} says that its session is {}", self.which, if up { "up" } else { "down" });
        wait_until(&what, patience(Duration::from_secs(15)), || Ok(self.is_up()? == up))
            .with_context(|| format!("files in {}", self.router.display()))
    }

    /// Its administrator wants the session down, or no longer. Debian's keepalived has no such thing.
    pub fn administer(&self, down: bool) -> Result<()> {
        match self.which {
            Neighbor::Frr => {
                let what = if down { "shutdown" } else { "no shutdown" };
                let conf = std::fs::read_to_string(self.router.join("bfdd.conf"))?;
                let peer = conf.lines().nth(1).context("a peer")?.trim().to_owned();
                self.run(&["-c", "configure terminal", "-c", "bfd", "-c", &peer, "-c", what]).map(drop)
            }
            Neighbor::Bird | Neighbor::Debian => bail!("{:?} cannot do that", self.which),
        }
    }

    /// The process that runs BFD, unless it is keepalived.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.children.last().map(Pid::from_child)
    }

    /// Kills it without a last word.
    pub fn crash(mut self) -> Result<()> {
        if let Some(keepalived) = self.keepalived.take() {
            return keepalived.crash();
        }
        for child in &mut self.children {
            crash(Pid::from_child(child));
            child.wait()?;
        }
        Ok(())
    }

    /// Stops it, or lets it go on: it is frozen meanwhile.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        for pid in self.keepalived.iter().flat_map(Running::processes) {
            kill_process(pid, signal)?;
        }
        for child in &self.children {
            kill_process(Pid::from_child(child), signal)?;
        }
        Ok(())
    }

    fn ask(&self, what: &str) -> Result<String> {
        match self.which {
            Neighbor::Bird => {
                let socket = self.router.join("bird.ctl");
                let output =
                    std::process::Command::new("birdc").arg("-s").arg(socket).args(what.split(' ')).output()?;
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            _ => self.run(&["-c", what]),
        }
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = std::process::Command::new("ip");
        command.args(["netns", "exec", &self.namespace, "vtysh", "-d", "bfdd", "--vty_socket"]);
        command.arg(&self.router).args(arguments);
        let output = command.output().with_context(|| format!("{command:?}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for BfdPeer {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
