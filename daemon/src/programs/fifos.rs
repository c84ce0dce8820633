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
    /// The process stops: a pipe that is deleted now was deleted by a process of ours that has stopped already, and its reader reads on.
    stops: bool,
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
    /// Lines that were lost since the last one that was written.
    lost: u64,
    /// Another file has its place, which was said.
    is_elsewhere: bool,
}

impl Fifos {
    /// No open pipes; `ending` follows each line. Those of `made_before` are removed at the end, as if this process had made them.
    pub(crate) fn new(made_before: BTreeSet<PathBuf>, ending: &'static str) -> Self {
        Self { channels: Vec::new(), ending, made_before, stops: false }
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
        let mut fifo = match open(settings, path) {
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
        Some((Channel { settings, user: None, path, fifo, reader: None, lost: 0, is_elsewhere: false }, false))
    }

    /// Named pipes that we made, and remove at the end.
    pub(crate) fn made(&self) -> BTreeSet<PathBuf> {
        let ours = self.channels.iter().filter(|channel| channel.fifo.is_ours());
        ours.map(|channel| channel.fifo.path().to_owned()).collect()
    }

    /// The process stops: what is written from now on goes to pipes that others have deleted, too.
    pub(crate) const fn stop(&mut self) {
        self.stops = true;
    }

    /// Writes a line to each pipe.
    pub(crate) fn write(&mut self, line: &str) {
        let Self { channels, ending, stops, .. } = self;
        for channel in channels {
            if !*stops && !channel.fifo.is_in_place() {
                channel.put_back();
            }
            channel.write(&format!("{line}{ending}"));
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
    /// Writes a line. That lines are lost is said of the first, and how many they were with the next one that is written.
    fn write(&mut self, line: &str) {
        let written = self.fifo.write(line.as_bytes());
        let path = self.fifo.path().display();
        match written {
            Ok(()) => match std::mem::take(&mut self.lost) {
                0 => {}
                lost => tracing::warn!("notify FIFO {path}: it is read again; {lost} lines were lost"),
            },
            Err(error) => {
                if self.lost == 0 {
                    tracing::warn!("notify FIFO {path}: {error}; lines are lost until it is read");
                }
                self.lost = self.lost.saturating_add(1);
            }
        }
    }

    /// Others have deleted the pipe: makes it again. A reader of ours finds that the old one is closed, ends, and is started again.
    fn put_back(&mut self) {
        match open(&self.settings, &self.path) {
            Ok(fifo) => {
                tracing::warn!("notify FIFO {} was deleted, and is made again", self.path);
                (self.fifo, self.is_elsewhere, self.lost) = (fifo, false, 0);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_elsewhere, true) {
                    tracing::error!("notify FIFO {} was deleted, and cannot be made again: {error}", self.path);
                }
            }
        }
    }

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

fn open(settings: &FifoSettings, path: &str) -> io::Result<Fifo> {
    let owner = settings.user.as_ref().map(owner).transpose()?;
    Fifo::open(Path::new(path), owner)
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
