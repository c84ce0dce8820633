//! Syslog through `/dev/log` (RFC 3164, in the form of syslog(3)). Never blocks.

use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::line::Said;

const DEVICE: &str = "/dev/log";
/// The longest line in octets; longer lines are cut.
const LONGEST: usize = 2_048;

/// A layer that writes events to the local syslog daemon. Lines that it does not take at once are counted, and the count
/// goes out with the next line that it takes.
pub(super) struct Syslog {
    facility: u8,
    ident: String,
    socket: Mutex<Option<UnixDatagram>>,
    dropped: AtomicU64,
}

impl Syslog {
    pub(super) fn new(facility: u8, ident: &str) -> Self {
        let ident = format!("{ident}[{}]", std::process::id());
        Self { facility, ident, socket: Mutex::new(connect()), dropped: AtomicU64::new(0) }
    }

    fn write(&self, severity: u8, text: &str) {
        let priority = u32::from(self.facility) * 8 + u32::from(severity);
        let mut line = format!("<{priority}>{}: {text}", self.ident);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            // cannot fail: a String takes everything
            write!(line, " ({dropped} lines were lost before this one)").ok();
        }
        let octets = line.as_bytes();
        let octets = octets.get(..octets.len().min(LONGEST)).unwrap_or(octets);
        // a poisoned lock only means that another line was cut short
        let mut socket = self.socket.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let sent = match &*socket {
            Some(socket) => socket.send(octets),
            None => Err(std::io::ErrorKind::NotConnected.into()),
        };
        let sent = match sent {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                // the syslog daemon was started or restarted
                *socket = connect();
                socket.as_ref().map_or(Err(error), |socket| socket.send(octets))
            }
            sent => sent,
        };
        if sent.is_err() {
            self.dropped.fetch_add(dropped.saturating_add(1), Ordering::Relaxed);
        }
    }
}

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(DEVICE).ok()?;
    Some(socket)
}

impl<S: Subscriber> Layer<S> for Syslog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let severity = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        self.write(severity, &Said::of(event).message);
    }
}
