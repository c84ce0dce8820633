//! Who is told what happens: scripts and named pipes (interfaces.md sections 1 and 2).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keepalived_config::model::{Config, Fifo as FifoSettings, ScriptUser};
use keepalived_kernel::fifo::Fifo;
use keepalived_kernel::process;

use super::programs::Programs;
use super::reader::{Ending, Reader};
use super::report::Report;

/// How long the reader of a named pipe that is closed may take to read to its end.
const TO_THE_END: Duration = Duration::from_secs(1);

/// Tells scripts and named pipes.
#[derive(Debug)]
pub(super) struct Notifier {
    programs: Programs,
    channels: Vec<Channel>,
    /// Pipes that the process before this one made: they are ours as well.
    made_before: BTreeSet<PathBuf>,
}

/// A named pipe, and who reads it.
#[derive(Debug)]
struct Channel {
    settings: FifoSettings,
    /// Who runs scripts that name no user.
    user: Option<ScriptUser>,
    path: String,
    fifo: Fifo,
    reader: Option<Reader>,
}

impl Notifier {
    /// Opens the named pipes of `config`, and starts the programs that read them. Those of `made_before` are removed at the end as
    /// if they had been made here.
    pub(super) fn new(config: &Config, programs: Programs, made_before: BTreeSet<PathBuf>) -> Self {
        let mut notifier = Self { programs, channels: Vec::new(), made_before };
        notifier.reload(config);
        notifier
    }

    /// Goes on with the named pipes of `config`. One that stays is not closed, and its reader reads on if that stays, too.
    pub(super) fn reload(&mut self, config: &Config) {
        let user = &config.global.scripts.user;
        let mut before = std::mem::take(&mut self.channels);
        // those that go are closed first: one of the others may be where a link was
        for gone in before.extract_if(.., |channel| !wanted(config).any(|settings| channel.is_at(settings))) {
            gone.close();
        }
        for settings in wanted(config) {
            let Some(path) = &settings.path else { continue };
            let known = before.iter().position(|channel| channel.is_at(settings)).map(|place| before.remove(place));
            let channel = known.map_or_else(|| self.open(settings, path), |channel| Some((channel, true)));
            let Some((mut channel, is_known)) = channel else { continue };
            if !is_known || channel.settings.script != settings.script || channel.user != *user {
                // lines that the old one has not read are for the new one
                let old = channel.reader.take().map(|reader| reader.end(Duration::ZERO));
                channel.read(settings, user.clone(), &self.programs, old);
            }
            self.channels.push(channel);
        }
        self.made_before.clear();
    }

    fn open(&self, settings: &FifoSettings, path: &str) -> Option<(Channel, bool)> {
        let owner = settings.user.as_ref().map(owner).transpose();
        let mut fifo = match owner.and_then(|owner| Fifo::open(Path::new(path), owner)) {
            Ok(fifo) => fifo,
            Err(error) => {
                tracing::error!("notify FIFO {path}: {error}");
                return None;
            }
        };
        if self.made_before.contains(Path::new(path)) {
            fifo.adopt();
        }
        let (settings, path) = (FifoSettings { script: None, ..settings.clone() }, path.to_owned());
        Some((Channel { settings, user: None, path, fifo, reader: None }, false))
    }

    /// Named pipes that were not there before us, and go at the end.
    pub(super) fn made(&self) -> BTreeSet<PathBuf> {
        let ours = self.channels.iter().filter(|channel| channel.fifo.is_ours());
        ours.map(|channel| channel.fifo.path().to_owned()).collect()
    }

    /// Tells of `report` whoever wants to know.
    pub(super) fn tell(&mut self, config: &Config, report: &Report) {
        match report {
            Report::Server { service, server, name, service_name, up, .. } => {
                let number = usize::try_from(service.0).unwrap_or(usize::MAX);
                let virtual_server = config.virtual_servers.get(number);
                let real = virtual_server.zip(*server).and_then(|(of, place)| of.real_servers.get(place));
                let extras = real.and_then(|real| real.settings.extras.as_ref());
                if let Some(script) =
                    extras.and_then(|extras| if *up { extras.notify_up.as_ref() } else { extras.notify_down.as_ref() })
                {
                    self.programs.notify(script, format!("RS {name} {service_name}"));
                }
                self.write(&format!("RS {name} {service_name} {}\n", state(*up)));
            }
            Report::Quorum { service, service_name, quorum, .. } => {
                let number = usize::try_from(service.0).unwrap_or(usize::MAX);
                if let Some(virtual_server) = config.virtual_servers.get(number) {
                    let settings = &virtual_server.settings;
                    let script = if quorum.up { &settings.quorum_up } else { &settings.quorum_down };
                    if let Some(script) = script {
                        self.programs.notify(script, format!("VS {service_name}"));
                    }
                }
                self.write(&format!("VS {service_name} {}\n", state(quorum.up)));
            }
            _ => {}
        }
    }

    /// Each line is followed by a NUL: keepalived's readers know it.
    fn write(&mut self, line: &str) {
        for Channel { fifo, .. } in &mut self.channels {
            if let Err(error) = fifo.write(format!("{line}\0").as_bytes()) {
                tracing::warn!("notify FIFO {}: {error}; a line is lost", fifo.path().display());
            }
        }
    }

    /// The end: named pipes that are ours go.
    pub(super) fn close(self) {
        self.channels.into_iter().for_each(Channel::close);
    }
}

/// The named pipes that tell of load balancing. One path for both: one of them is enough.
fn wanted(config: &Config) -> impl Iterator<Item = &FifoSettings> {
    let fifos = &config.global.fifos;
    let lvs = Some(&fifos.lvs).filter(|lvs| lvs.path != fifos.all.path);
    [Some(&fifos.all), lvs].into_iter().flatten().filter(|fifo| fifo.path.is_some())
}

impl Channel {
    /// Whether it is the pipe of `settings`, whoever reads it.
    fn is_at(&self, settings: &FifoSettings) -> bool {
        self.settings.path == settings.path && self.settings.user == settings.user
    }

    /// Has it read by the script of `settings`, once the one before has ended.
    fn read(&mut self, settings: &FifoSettings, user: Option<ScriptUser>, programs: &Programs, after: Option<Ending>) {
        let script = settings.script.as_ref();
        self.reader = script.map(|script| Reader::start(programs, script, &self.path, after));
        self.settings = settings.clone();
        self.user = user;
    }

    /// Whoever reads it comes to its end, and has a while for that.
    fn close(self) {
        self.fifo.remove();
        if let Some(reader) = self.reader {
            reader.end(TO_THE_END);
        }
    }
}

/// User and group. Who cannot be found owns nothing, and nobody else owns it instead.
fn owner(user: &ScriptUser) -> io::Result<(u32, u32)> {
    let unknown =
        |what: &str, name: &str| io::Error::new(io::ErrorKind::NotFound, format!("there is no {what} {name}"));
    let account = process::user(&user.name).ok_or_else(|| unknown("user", &user.name))?;
    let gid = match user.group.as_ref().and_then(|group| group.name.as_deref()) {
        Some(name) => process::group(name).ok_or_else(|| unknown("group", name))?,
        None => account.gid,
    };
    Ok((account.uid, gid))
}

const fn state(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

#[cfg(test)]
mod tests;
