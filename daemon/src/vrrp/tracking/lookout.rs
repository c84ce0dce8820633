//! Threads that look at processes and at files. To read `/proc` takes long where there are many processes, the proc connector may not
//! answer, and the file system of a file may hang: no advert waits for these.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::pipe::{self, Pipe, Received};
use keepalived_kernel::process;
use keepalived_kernel::reactor::{self, Interest, Reactor, Ready, Token};

/// Of its stack: `vrrp_no_swap` keeps all of it in memory.
const STACK: usize = 256 * 1024;

/// It competes for the processors as other programs do: who starts processes without end must not take the routers' time.
const NICE: i8 = 0;

/// Where the vrrp process rings. Others have greater numbers.
const WORK: Token = Token(1);

/// Pause before what a shortage kept from beginning is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What such a thread does.
pub(super) trait Lookout: Default + 'static {
    /// What it is to look at.
    type Wanted: Send + fmt::Debug;
    /// What it finds.
    type News: Send + fmt::Debug;
    /// Name of the thread, and of what it looks at.
    const NAME: &'static str;

    /// Looks at `wanted` from now on, and at nothing else. All of it is told again.
    fn configure(&mut self, now: Instant, wanted: Self::Wanted, reactor: &mut Reactor);

    /// Does what is due. Returns what is new, and when to come again.
    fn turn(&mut self, now: Instant, reactor: &mut Reactor) -> (Option<Self::News>, Option<Instant>);

    /// A descriptor of its own is ready.
    fn on_ready(&mut self, token: Token, now: Instant);
}

/// The thread, as the process sees it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct LookoutThread<L: Lookout> {
    work: Sender<(u64, L::Wanted)>,
    rope: Pipe,
    /// With the number of what was wanted.
    news: Receiver<(u64, L::News)>,
    /// Readable when there is news, or the thread has ended.
    bell: Pipe,
    /// Number of what was wanted last.
    last: u64,
}

/// The thread has ended: it panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Gone;

impl<L: Lookout> LookoutThread<L> {
    /// Begins. The thread has the capabilities of the calling one.
    ///
    /// # Errors
    /// Out of threads or descriptors.
    pub(super) fn start() -> io::Result<Self> {
        let ((work, given), (tell, news)) = (channel(), channel());
        let ((rope, hears), (bell, rings)) = (pipe::pair()?, pipe::pair()?);
        let mut reactor = Reactor::new(&[])?;
        reactor.register(&hears, WORK, Interest::Read)?;
        std::thread::Builder::new().name(L::NAME.into()).stack_size(STACK).spawn(move || {
            // refused or not, it counts
            let _as_it_is = process::set_nice(NICE);
            Thread::<L> { reactor, hears, given, tell, rings, lookout: L::default(), of: 0 }.run();
        })?;
        Ok(Self { work, rope, news, bell, last: 0 })
    }

    /// Has the thread look at `wanted`, and at nothing else.
    pub(super) fn want(&mut self, wanted: L::Wanted) {
        self.last += 1;
        // who is gone is found out by the next look for news
        let _gone = self.work.send((self.last, wanted));
        // if there is no room, it rings already
        let _rings = self.rope.send(b"!", &[]);
    }

    /// What is new, in order.
    pub(super) fn news(&mut self) -> Result<Vec<L::News>, Gone> {
        while let Ok(Received::Message { .. }) = self.bell.receive() {}
        let mut all = Vec::new();
        loop {
            match self.news.try_recv() {
                // what was found before a reload is told again after it
                Ok((of, news)) if of == self.last => all.push(news),
                Ok(_) => {}
                Err(TryRecvError::Empty) => return Ok(all),
                Err(TryRecvError::Disconnected) => return Err(Gone),
            }
        }
    }

    /// The first that is new about what was wanted last, if that comes within `patience`.
    fn first(&mut self, patience: Duration) -> Option<L::News> {
        let end = reactor::now() + patience;
        loop {
            match self.news.recv_timeout(end.since(reactor::now())) {
                Ok((of, news)) if of == self.last => return Some(news),
                Ok(_) => {}
                // who is gone is found out by the next look for news
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

impl<L: Lookout> AsFd for LookoutThread<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// A thread while there is something to look at.
#[derive(Debug)]
pub(super) struct Post<L: Lookout> {
    thread: Option<LookoutThread<L>>,
    /// What to look at, where that could not begin, and when it is tried again.
    later: Option<(Instant, L::Wanted)>,
    is_short: bool,
}

impl<L: Lookout> Default for Post<L> {
    fn default() -> Self {
        Self { thread: None, later: None, is_short: false }
    }
}

impl<L: Lookout> Post<L> {
    /// Looks at `wanted` from now on, and at nothing else; `None` is nothing. `token` is ready when there is news. Waits for the first news
    /// for as long as `patience`.
    pub(super) fn want(
        &mut self,
        now: Instant,
        wanted: Option<L::Wanted>,
        patience: Duration,
        (reactor, token): (&mut Reactor, Token),
    ) -> Option<L::News> {
        self.later = None;
        let Some(wanted) = wanted else {
            self.thread = None;
            return None;
        };
        if self.thread.is_none() {
            let begun = LookoutThread::start()
                .and_then(|thread| reactor.register(&thread, token, Interest::Read).map(|()| thread));
            match begun {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    if !std::mem::replace(&mut self.is_short, true) {
                        tracing::error!("{} cannot be tracked for now, which changes nothing: {error}", L::NAME);
                    }
                    self.later = Some((now + RETRY, wanted));
                    return None;
                }
            }
        }
        self.is_short = false;
        let thread = self.thread.as_mut()?;
        thread.want(wanted);
        if patience.is_zero() { None } else { thread.first(patience) }
    }

    /// Tries again what could not begin. Returns when to come again.
    pub(super) fn turn(&mut self, now: Instant, at: (&mut Reactor, Token)) -> Option<Instant> {
        if let Some((_, wanted)) = self.later.take_if(|(at, _)| *at <= now) {
            self.want(now, Some(wanted), Duration::ZERO, at);
        }
        self.later.as_ref().map(|(at, _)| *at)
    }

    /// What is new, in order.
    pub(super) fn news(&mut self) -> Result<Vec<L::News>, Gone> {
        self.thread.as_mut().map_or_else(|| Ok(Vec::new()), LookoutThread::news)
    }
}

/// The thread, as it sees itself.
struct Thread<L: Lookout> {
    reactor: Reactor,
    hears: Pipe,
    given: Receiver<(u64, L::Wanted)>,
    // after these, so that who hears it ring for the last time finds the channel closed
    tell: Sender<(u64, L::News)>,
    rings: Pipe,
    lookout: L,
    of: u64,
}

impl<L: Lookout> Thread<L> {
    fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            let (news, next) = self.lookout.turn(reactor::now(), &mut self.reactor);
            if let Some(news) = news {
                if self.tell.send((self.of, news)).is_err() {
                    return;
                }
                // if there is no room, it rings already
                let _rings = self.rings.send(b"!", &[]);
            }
            ready.clear();
            if let Err(error) = self.reactor.wait(next, &mut ready) {
                return tracing::error!("waiting for {} failed: {error}", L::NAME);
            }
            for ready in &ready {
                match ready {
                    Ready::Descriptor { token: WORK, .. } => {
                        if !self.take_work() {
                            return;
                        }
                    }
                    Ready::Descriptor { token, .. } => self.lookout.on_ready(*token, reactor::now()),
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
            self.lookout.configure(reactor::now(), wanted, &mut self.reactor);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use keepalived_core::vrrp::tracking::TrackerState;

    use super::super::processes::{Change, Processes, Wanted};
    use super::*;

    /// Waits until it rings, and takes what is new.
    fn heard(thread: &mut LookoutThread<Processes>) -> Result<Vec<Change>, Gone> {
        let mut reactor = Reactor::new(&[]).unwrap();
        reactor.register(&*thread, Token(1), Interest::Read).unwrap();
        loop {
            let mut ready = Vec::new();
            reactor.wait(Some(reactor::now() + Duration::from_secs(60)), &mut ready).unwrap();
            assert!(!ready.contains(&Ready::Deadline), "it does not ring");
            let changes: Vec<Change> = thread.news()?.into_iter().flat_map(|(changes, _)| changes).collect();
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
        let mut thread = LookoutThread::start().unwrap();
        let this = String::from_utf8(process::short_name(std::process::id()).unwrap()).unwrap();
        for program in ["no-such-program", "no-such-program", &this] {
            thread.want(wanted(program));
        }
        let states: Vec<_> = heard(&mut thread).unwrap().iter().map(|change| change.state).collect();
        assert_eq!(states, [TrackerState::Up], "of the last one only");
    }

    /// Hangs as a file system does whose server is away, until it is released.
    #[derive(Default)]
    struct Hung(Option<Receiver<()>>);

    impl Lookout for Hung {
        type Wanted = Receiver<()>;
        type News = ();
        const NAME: &'static str = "hung";

        fn configure(&mut self, _: Instant, wanted: Self::Wanted, _: &mut Reactor) {
            self.0 = Some(wanted);
        }

        fn turn(&mut self, _: Instant, _: &mut Reactor) -> (Option<()>, Option<Instant>) {
            (self.0.take().map(|released| released.recv().unwrap()), None)
        }

        fn on_ready(&mut self, _: Token, _: Instant) {}
    }

    #[test]
    fn who_wants_something_waits_for_a_moment_only_and_hears_of_it_later() {
        let (release, hangs) = channel();
        let mut reactor = Reactor::new(&[]).unwrap();
        let mut post = Post::<Hung>::default();
        let moment = Duration::from_millis(1);
        assert_eq!(post.want(reactor::now(), Some(hangs), moment, (&mut reactor, Token(9))), None);
        assert_eq!(post.news(), Ok(vec![]));
        release.send(()).unwrap();
        let mut ready = Vec::new();
        reactor.wait(Some(reactor::now() + Duration::from_secs(60)), &mut ready).unwrap();
        assert!(matches!(ready.as_slice(), [Ready::Descriptor { token: Token(9), .. }]), "{ready:?}");
        assert_eq!(post.news(), Ok(vec![()]));
        // what comes at once is there at once
        let (release, hangs) = channel();
        release.send(()).unwrap();
        let long = Duration::from_secs(60);
        assert_eq!(post.want(reactor::now(), Some(hangs), long, (&mut reactor, Token(9))), Some(()));
    }
}
