//! Notify FIFOs (interfaces.md section 2), and the programs that read them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keepalived_config::model::{Fifo as FifoSettings, ScriptUser};
use keepalived_core::time::Instant;
use keepalived_kernel::fifo::Fifo;
use keepalived_kernel::process;

use super::reader::{Ending, Reader};
use super::{OrderId, Programs};
use crate::message::HowEnded;

/// How long the reader of a closed named pipe may take to read the rest.
const TO_THE_END: Duration = Duration::from_secs(1);

/// The notify FIFOs of a process.
#[derive(Debug, Default)]
pub(crate) struct Fifos {
    channels: Vec<Channel>,
    /// What follows each line.
    ending: &'static str,
    /// Pipes that the process before this one made: this one removes them at the end.
    made_before: BTreeSet<PathBuf>,
}

/// A named pipe and its reader.
#[derive(Debug)]
struct Channel {
    settings: FifoSettings,
    /// The user of scripts that name none.
    user: Option<ScriptUser>,
    path: String,
    fifo: Fifo,
    reader: Option<Reader>,
}

impl Fifos {
    /// No open pipes; `ending` follows each line. Those of `made_before` are removed at the end, as if this process had made them.
    pub(crate) fn new(made_before: BTreeSet<PathBuf>, ending: &'static str) -> Self {
        Self { channels: Vec::new(), ending, made_before }
    }

    /// Takes another configuration: opens the pipes `wanted`, the one for everything first, and starts their readers. `user` runs
    /// readers without a user. A pipe that stays remains open, and so does an unchanged reader.
    pub(crate) fn reload(&mut self, wanted: [&FifoSettings; 2], user: Option<&ScriptUser>, programs: &mut Programs) {
        let [all, own] = wanted;
        // two pipes with one path are one
        let wanted: Vec<_> = std::iter::once(all).chain((own.path != all.path).then_some(own)).collect();
        let mut before = std::mem::take(&mut self.channels);
        // closes first what goes: its path may have been a link to a path that is wanted
        for gone in before.extract_if(.., |channel| !wanted.iter().any(|settings| channel.is_at(settings))) {
            gone.close(programs);
        }
        for settings in wanted {
            let Some(path) = &settings.path else { continue };
            let known = before.iter().position(|channel| channel.is_at(settings)).map(|place| before.remove(place));
            let channel = known.map_or_else(|| self.open(settings, path), |channel| Some((channel, true)));
            let Some((mut channel, is_known)) = channel else { continue };
            if !is_known || channel.settings.script != settings.script || channel.user.as_ref() != user {
                // the new reader gets the lines that the old one has not read
                let old = channel.reader.take().and_then(|reader| reader.end(programs, Duration::ZERO));
                channel.read(settings, user.cloned(), programs, old);
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

    /// Named pipes that we made, and remove at the end.
    pub(crate) fn made(&self) -> BTreeSet<PathBuf> {
        let ours = self.channels.iter().filter(|channel| channel.fifo.is_ours());
        ours.map(|channel| channel.fifo.path().to_owned()).collect()
    }

    /// Writes a line to each pipe.
    pub(crate) fn write(&mut self, line: &str) {
        let Self { channels, ending, .. } = self;
        for Channel { fifo, .. } in channels {
            if let Err(error) = fifo.write(format!("{line}{ending}").as_bytes()) {
                tracing::warn!("notify FIFO {}: {error}; a line is lost", fifo.path().display());
            }
        }
    }

    /// A program has ended. If it is a reader, it is started again.
    pub(crate) fn ended(&mut self, id: OrderId, how: &HowEnded, now: Instant, programs: &mut Programs) {
        for reader in self.readers() {
            reader.ended(id, how, now, programs);
        }
    }

    /// Starts readers again that have ended. Returns when to call it again.
    pub(crate) fn turn(&mut self, now: Instant, programs: &mut Programs) -> Option<Instant> {
        self.readers().filter_map(|reader| reader.turn(now, programs)).min()
    }

    fn readers(&mut self) -> impl Iterator<Item = &mut Reader> {
        self.channels.iter_mut().filter_map(|channel| channel.reader.as_mut())
    }

    /// Closes all pipes and removes those that are ours: the process ends.
    pub(crate) fn close(self, programs: &mut Programs) {
        self.channels.into_iter().for_each(|channel| channel.close(programs));
    }
}

impl Channel {
    /// Whether it is the pipe of `settings`, with any reader.
    fn is_at(&self, settings: &FifoSettings) -> bool {
        self.settings.path == settings.path && self.settings.user == settings.user
    }

    /// Starts the reader of `settings` once the reader before has ended.
    fn read(
        &mut self,
        settings: &FifoSettings,
        user: Option<ScriptUser>,
        programs: &mut Programs,
        before: Option<Ending>,
    ) {
        let script = settings.script.as_ref();
        self.reader = script.map(|script| Reader::start(programs, script, &self.path, before));
        self.settings = settings.clone();
        self.user = user;
    }

    /// Ends the reader, which has a while to read the rest.
    fn close(self, programs: &mut Programs) {
        self.fifo.remove();
        if let Some(reader) = self.reader {
            reader.end(programs, TO_THE_END);
        }
    }
}

/// User and group of a pipe. If one of them cannot be found the pipe has no owner, rather than another one.
fn owner(user: &ScriptUser) -> io::Result<(u32, u32)> {
    let unknown =
        |what: &str, name: &str| io::Error::new(io::ErrorKind::NotFound, format!("there is no {what} {name}"));
    let account = process::find_user(&user.name)?.ok_or_else(|| unknown("user", &user.name))?;
    let gid = match user.group.as_ref().and_then(|group| group.name.as_deref()) {
        Some(name) => process::find_group(name)?.ok_or_else(|| unknown("group", name))?,
        None => account.gid,
    };
    Ok((account.uid, gid))
}

#[cfg(test)]
mod tests;
