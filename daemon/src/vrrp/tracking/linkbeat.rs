//! `linkbeat_interfaces` and its like: drivers that do not tell the kernel of their links are asked every second, by a thread of its
//! own: the answer waits for whoever changes a link on this machine, and no advert waits for that.
//!
//! What the kernel says counts as well, at once: a link is up while both say so.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use keepalived_config::model::{Config, LinkbeatMethod};
use keepalived_core::address::InterfaceName;
use keepalived_kernel::link_beat::{Drivers, Way};
use keepalived_kernel::pipe::{self, Pipe, Received};
use keepalived_kernel::process;

use super::Gone;

/// From one look to the next, as with keepalived.
const PAUSE: Duration = Duration::from_secs(1);

/// Of its stack: `vrrp_no_swap` keeps all of it in memory.
const STACK: usize = 128 * 1024;

/// Interfaces that are asked about, and how that was configured.
pub(super) type Wanted = BTreeMap<InterfaceName, Option<LinkbeatMethod>>;

/// What drivers say of their links.
pub(crate) type Beats = BTreeMap<InterfaceName, bool>;

/// What `config` has asked about. Interfaces that we make are not: the kernel tells of these.
pub(super) fn wanted(config: &Config) -> Wanted {
    let all = config.global.linkbeat_use_polling;
    let of_instances = config.instances.iter().filter(|instance| all || instance.linkbeat);
    let own = of_instances.filter_map(|instance| Some((instance.interface?, None)));
    let mut wanted: Wanted = own.collect();
    wanted.extend(config.linkbeats.iter().map(|line| (line.interface, line.method)));
    wanted
}

/// The thread, as the process sees it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct LinkThread {
    work: Sender<Wanted>,
    news: Receiver<Beats>,
    /// Readable when there is news, or the thread has ended.
    bell: Pipe,
}

impl LinkThread {
    /// Begins. The thread has the capabilities of the calling one.
    ///
    /// # Errors
    /// Out of threads or descriptors.
    pub(super) fn start(wanted: Wanted) -> io::Result<Self> {
        let ((work, given), (tell, news)) = (channel(), channel());
        let (bell, rings) = pipe::pair()?;
        let drivers = Drivers::new()?;
        std::thread::Builder::new().name("linkbeat".into()).stack_size(STACK).spawn(move || {
            // refused or not, it counts
            let _as_it_is = process::set_nice(0);
            run(&drivers, wanted, &given, &tell, &rings);
        })?;
        Ok(Self { work, news, bell })
    }

    /// Has the thread ask about `wanted`, and nothing else.
    pub(super) fn ask(&self, wanted: Wanted) {
        // who is gone is found out by the next look for news
        let _gone = self.work.send(wanted);
    }

    /// What all drivers say now, if any says something new.
    pub(super) fn news(&mut self) -> Result<Option<Beats>, Gone> {
        while let Ok(Received::Message { .. }) = self.bell.receive() {}
        let mut last = None;
        loop {
            match self.news.try_recv() {
                Ok(beats) => last = Some(beats),
                Err(TryRecvError::Empty) => return Ok(last),
                Err(TryRecvError::Disconnected) => return Err(Gone),
            }
        }
    }
}

impl AsFd for LinkThread {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

fn run(drivers: &Drivers, mut wanted: Wanted, given: &Receiver<Wanted>, tell: &Sender<Beats>, rings: &Pipe) {
    let mut links: BTreeMap<InterfaceName, Link> = BTreeMap::new();
    let mut told = None;
    loop {
        links.retain(|name, link| wanted.get(name) == Some(&link.configured));
        for (name, configured) in &wanted {
            links.entry(*name).or_insert_with(|| Link::new(*configured)).look(*name, drivers);
        }
        let beats: Beats = links.iter().filter_map(|(name, link)| Some((*name, link.is_up?))).collect();
        if told.as_ref() != Some(&beats) {
            if tell.send(beats.clone()).is_err() {
                return;
            }
            told = Some(beats);
            // if there is no room, it rings already
            let _rings = rings.send(b"!", &[]);
        }
        match given.recv_timeout(PAUSE) {
            Ok(new) => wanted = given.try_iter().last().unwrap_or(new),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Who can be asked.
trait Ask {
    fn link_is_up(&self, name: InterfaceName, way: Way) -> io::Result<bool>;
}

impl Ask for Drivers {
    fn link_is_up(&self, name: InterfaceName, way: Way) -> io::Result<bool> {
        Self::link_is_up(self, name, way)
    }
}

/// One interface, and how its driver is asked.
struct Link {
    configured: Option<LinkbeatMethod>,
    /// `None`: not at all, the kernel's word is enough.
    way: Option<Way>,
    is_found: bool,
    /// What it said the last time; none while the interface is not there, or cannot be asked.
    is_up: Option<bool>,
}

impl Link {
    const fn new(configured: Option<LinkbeatMethod>) -> Self {
        Self { configured, way: None, is_found: false, is_up: None }
    }

    fn look(&mut self, name: InterfaceName, drivers: &impl Ask) {
        let answer = match self.way {
            Some(way) => drivers.link_is_up(name, way),
            None if self.is_found => return,
            None => self.find(name, drivers),
        };
        let before = self.is_up;
        match answer {
            Ok(is_up) => self.is_up = Some(is_up),
            // it is gone, or another one has its name
            Err(error) if error.raw_os_error() == Some(NO_DEVICE) => {
                (self.way, self.is_found, self.is_up) = (None, false, None);
            }
            // some drivers say nothing while the interface is down: the kernel's word counts until they do
            Err(_) => self.is_up = None,
        }
        if let (Some(is_up), true) = (self.is_up, self.is_up != before) {
            tracing::info!("Linkbeat reports {name} {}", if is_up { "up" } else { "down" });
        }
    }

    /// Finds the way that this driver knows: the one that is configured, else MII, else ethtool.
    fn find(&mut self, name: InterfaceName, drivers: &impl Ask) -> io::Result<bool> {
        let ways: &[Way] = match self.configured {
            Some(LinkbeatMethod::Ioctl) => &[],
            Some(LinkbeatMethod::Ethtool) => &[Way::Ethtool, Way::Mii],
            Some(LinkbeatMethod::Mii) | None => &[Way::Mii, Way::Ethtool],
        };
        for way in ways {
            match drivers.link_is_up(name, *way) {
                Ok(is_up) => {
                    self.choose(name, Some(*way));
                    return Ok(is_up);
                }
                Err(error) if error.raw_os_error() == Some(NO_DEVICE) => return Err(error),
                Err(_) => {}
            }
        }
        self.choose(name, None);
        Ok(true)
    }

    fn choose(&mut self, name: InterfaceName, way: Option<Way>) {
        (self.way, self.is_found) = (way, true);
        let (used, method) = match way {
            Some(Way::Mii) => ("MII", LinkbeatMethod::Mii),
            Some(Way::Ethtool) => ("ETHTOOL", LinkbeatMethod::Ethtool),
            None => ("IOCTL", LinkbeatMethod::Ioctl),
        };
        if self.configured.is_some_and(|configured| configured != method) {
            tracing::info!("({name}): Configured linkbeat type not supported, using {used}");
        }
    }
}

/// `ENODEV`
const NO_DEVICE: i32 = 19;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A driver that knows some ways, and those that were tried.
    struct Driver {
        mii: Option<bool>,
        ethtool: Option<bool>,
        is_gone: bool,
        asked: RefCell<Vec<Way>>,
    }

    impl Ask for Driver {
        fn link_is_up(&self, _: InterfaceName, way: Way) -> io::Result<bool> {
            self.asked.borrow_mut().push(way);
            let answer = match way {
                Way::Mii => self.mii,
                Way::Ethtool => self.ethtool,
            };
            match (answer, self.is_gone) {
                (_, true) => Err(io::Error::from_raw_os_error(NO_DEVICE)),
                (Some(answer), false) => Ok(answer),
                (None, false) => Err(io::ErrorKind::Unsupported.into()),
            }
        }
    }

    fn name() -> InterfaceName {
        InterfaceName::new(b"eth0").unwrap()
    }

    /// `init_linkbeat_status` of keepalived 2.4.3
    #[test]
    fn a_driver_is_asked_as_configured_or_as_it_can() {
        use LinkbeatMethod::{Ethtool, Ioctl, Mii};
        for (configured, mii, ethtool, way) in [
            (None, Some(true), Some(true), Some(Way::Mii)),
            (None, None, Some(true), Some(Way::Ethtool)),
            (None, None, None, None),
            (Some(Mii), None, Some(true), Some(Way::Ethtool)),
            (Some(Ethtool), Some(true), Some(true), Some(Way::Ethtool)),
            (Some(Ethtool), Some(true), None, Some(Way::Mii)),
            (Some(Ioctl), Some(true), Some(true), None),
        ] {
            let mut driver = Driver { mii, ethtool, is_gone: false, asked: RefCell::default() };
            let mut link = Link::new(configured);
            link.look(name(), &driver);
            assert_eq!((link.way, link.is_up), (way, Some(true)), "{configured:?} {mii:?} {ethtool:?}");
            // it is not tried again
            driver.asked.borrow_mut().clear();
            (driver.mii, driver.ethtool) = (mii.map(|_| false), ethtool.map(|_| false));
            link.look(name(), &driver);
            assert_eq!(*driver.asked.borrow(), Vec::from_iter(way));
            assert_eq!(link.is_up, Some(way.is_none()));
        }
    }

    #[test]
    fn a_driver_that_says_nothing_for_a_while_is_asked_again() {
        let mut driver = Driver { mii: Some(true), ethtool: None, is_gone: false, asked: RefCell::default() };
        let mut link = Link::new(None);
        link.look(name(), &driver);
        driver.mii = None;
        link.look(name(), &driver);
        assert_eq!((link.way, link.is_up), (Some(Way::Mii), None), "the kernel's word counts meanwhile");
        driver.mii = Some(false);
        link.look(name(), &driver);
        assert_eq!((link.way, link.is_up), (Some(Way::Mii), Some(false)));
    }

    #[test]
    fn an_interface_that_goes_is_found_again() {
        let mut driver = Driver { mii: None, ethtool: Some(true), is_gone: false, asked: RefCell::default() };
        let mut link = Link::new(None);
        link.look(name(), &driver);
        (driver.ethtool, driver.is_gone) = (None, true);
        link.look(name(), &driver);
        assert_eq!(link.is_up, None, "the kernel's word counts");
        (driver.mii, driver.is_gone) = (Some(false), false);
        link.look(name(), &driver);
        assert_eq!((link.way, link.is_up), (Some(Way::Mii), Some(false)));
    }
}
