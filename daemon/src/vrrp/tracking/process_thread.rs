//! The thread that counts processes. To read `/proc` takes long where there are many, and the proc connector may not answer: no advert
//! waits for these.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use keepalived_kernel::pipe::{self, Pipe, Received};
use keepalived_kernel::process;
use keepalived_kernel::reactor::{self, Interest, Reactor, Ready, Token};

use super::processes::{Change, Processes, Wanted, Way};

/// Of its stack: `vrrp_no_swap` keeps all of it in memory.
const STACK: usize = 256 * 1024;

/// It competes for the processors as other programs do: who starts processes without end must not take the routers' time.
const NICE: i8 = 0;

/// Where the vrrp process rings.
const WORK: Token = Token(1);

/// The thread, as the process sees it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct ProcessThread {
    work: Sender<(u64, Wanted)>,
    rope: Pipe,
    news: Receiver<News>,
    /// Readable when there is news, or the thread has ended.
    bell: Pipe,
    /// Number of what was wanted last.
    last: u64,
}

/// What the thread has found.
#[derive(Debug)]
struct News {
    /// Of what was wanted with this number.
    of: u64,
    changes: Vec<Change>,
    way: Way,
}

/// The thread has ended: it panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Gone;

impl ProcessThread {
    /// Begins. The thread has the capabilities of the calling one.
    ///
    /// # Errors
    /// Out of threads or descriptors.
    pub(super) fn start() -> io::Result<Self> {
        let ((work, given), (tell, news)) = (channel(), channel());
        let ((rope, hears), (bell, rings)) = (pipe::pair()?, pipe::pair()?);
        let mut reactor = Reactor::new(&[])?;
        reactor.register(&hears, WORK, Interest::Read)?;
        std::thread::Builder::new().name("processes".into()).stack_size(STACK).spawn(move || {
            // refused or not, it counts
            let _as_it_is = process::set_nice(NICE);
            Thread { reactor, hears, given, tell, rings, processes: Processes::default(), of: 0 }.run();
        })?;
        Ok(Self { work, rope, news, bell, last: 0 })
    }

    /// Has the thread track `wanted`, and nothing else.
    pub(super) fn track(&mut self, wanted: Wanted) {
        self.last += 1;
        // who is gone is found out by the next look for news
        let _gone = self.work.send((self.last, wanted));
        // if there is no room, it rings already
        let _rings = self.rope.send(b"!", &[]);
    }

    /// What is new.
    pub(super) fn news(&mut self) -> Result<(Vec<Change>, Option<Way>), Gone> {
        while let Ok(Received::Message { .. }) = self.bell.receive() {}
        let (mut changes, mut way) = (Vec::new(), None);
        loop {
            match self.news.try_recv() {
                // what was found before a reload is told again after it
                Ok(news) if news.of == self.last => {
                    changes.extend(news.changes);
                    way = Some(news.way);
                }
                Ok(_) => {}
                Err(TryRecvError::Empty) => return Ok((changes, way)),
                Err(TryRecvError::Disconnected) => return Err(Gone),
            }
        }
    }
}

impl AsFd for ProcessThread {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// The thread, as it sees itself.
struct Thread {
    reactor: Reactor,
    hears: Pipe,
    given: Receiver<(u64, Wanted)>,
    // after these, so that who hears it ring for the last time finds the channel closed
    tell: Sender<News>,
    rings: Pipe,
    processes: Processes,
    of: u64,
}

impl Thread {
    fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            let (changes, next) = self.processes.turn(reactor::now(), &mut self.reactor);
            if !changes.is_empty() {
                if self.tell.send(News { of: self.of, changes, way: self.processes.way() }).is_err() {
                    return;
                }
                // if there is no room, it rings already
                let _rings = self.rings.send(b"!", &[]);
            }
            ready.clear();
            if let Err(error) = self.reactor.wait(next, &mut ready) {
                return tracing::error!("waiting for processes failed: {error}");
            }
            for ready in &ready {
                match ready {
                    Ready::Descriptor { token: WORK, .. } => {
                        if !self.take_work() {
                            return;
                        }
                    }
                    Ready::Descriptor { token, .. } => self.processes.on_ready(*token, reactor::now()),
                    Ready::Signal(_) | Ready::Deadline => {}
                }
            }
        }
    }

    /// False if the process wants nothing any more.
    fn take_work(&mut self) -> bool {
        loop {
            match self.hears.receive() {
                Ok(Received::Message { .. }) => {}
                Ok(Received::Nothing) => break,
                Ok(Received::Closed) | Err(_) => return false,
            }
        }
        if let Some((of, wanted)) = self.given.try_iter().last() {
            self.of = of;
            self.processes.configure(reactor::now(), wanted, &mut self.reactor);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keepalived_core::vrrp::tracking::TrackerState;

    use super::*;

    /// Waits until it rings, and takes what is new.
    fn heard(thread: &mut ProcessThread) -> Result<Vec<Change>, Gone> {
        let mut reactor = Reactor::new(&[]).unwrap();
        reactor.register(&*thread, Token(1), Interest::Read).unwrap();
        loop {
            let mut ready = Vec::new();
            reactor.wait(Some(reactor::now() + Duration::from_secs(60)), &mut ready).unwrap();
            assert!(!ready.contains(&Ready::Deadline), "it does not ring");
            let (changes, _) = thread.news()?;
            if !changes.is_empty() {
                return Ok(changes);
            }
        }
    }

    fn wanted(program: &str) -> Wanted {
        let text = format!("vrrp_track_process p {{\n process {program}\n}}\n");
        Wanted { processes: crate::configuration::from_text(&text).processes, buffer: None }
    }

    #[test]
    fn what_is_wanted_last_is_told() {
        let mut thread = ProcessThread::start().unwrap();
        let this = String::from_utf8(process::short_name(std::process::id()).unwrap()).unwrap();
        for program in ["no-such-program", "no-such-program", &this] {
            thread.track(wanted(program));
        }
        let states: Vec<_> = heard(&mut thread).unwrap().iter().map(|change| change.state).collect();
        assert_eq!(states, [TrackerState::Up], "of the last one only");
    }
}
