//! The real servers: one listener for all addresses of this machine.

use anyhow::Result;
use rustix::net::{AddressFamily, Shutdown, SocketAddrV4, SocketType, bind, listen, shutdown, socket};
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";
/// Connections that may wait: all of a burst.
const BACKLOG: i32 = 16_384;

/// What a listener does with those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Closes the connection.
    Close,
    /// The same, and writes down who was asked when.
    Note,
    /// Answers a request.
    Http,
}

type Notes = HashMap<IpAddr, Vec<Instant>>;

/// Serves in a thread of its own until it is closed.
pub(super) struct Listener {
    socket: Arc<TcpListener>,
    count: Arc<AtomicU64>,
    notes: Arc<Mutex<Notes>>,
}

impl Listener {
    pub(super) fn start(port: u16, service: Service) -> Result<Self> {
        let socket: OwnedFd = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
        listen(&socket, BACKLOG)?;
        let listener = Self { socket: Arc::new(socket.into()), count: Arc::default(), notes: Arc::default() };
        let (socket, count, notes) =
            (Arc::clone(&listener.socket), Arc::clone(&listener.count), Arc::clone(&listener.notes));
        std::thread::spawn(move || serve(&socket, service, &count, &notes));
        Ok(listener)
    }

    /// How many have come.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Who was asked when, since this was last asked.
    pub(super) fn notes(&self) -> Notes {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whoever comes from now on is refused.
    pub(super) fn close(self) -> Result<()> {
        Ok(shutdown(&*self.socket, Shutdown::Both)?)
    }
}

fn serve(socket: &TcpListener, service: Service, count: &AtomicU64, notes: &Mutex<Notes>) {
    let mut buffer = [0; 1024];
    while let Ok((mut stream, _)) = socket.accept() {
        let now = Instant::now();
        count.fetch_add(1, Ordering::Relaxed);
        match service {
            Service::Close => {}
            Service::Note => {
                if let Ok(address) = stream.local_addr() {
                    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                    notes.entry(address.ip()).or_default().push(now);
                }
            }
            Service::Http => {
                if stream.read(&mut buffer).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(ANSWER);
                }
            }
        }
    }
}
