//! A real server: one listener for all addresses of the network namespace that it is started in.

use anyhow::Result;
use rustix::net::{Shutdown, listen, shutdown};
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections that may wait: all of a burst.
const BACKLOG: i32 = 16_384;
/// Who says nothing for so long has gone; others wait behind it.
const SILENCE: Duration = Duration::from_millis(500);

/// What a listener does with those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Closes the connection.
    Close,
    /// The same, and writes down who was asked when.
    Note,
    /// Answers every request with this text.
    Http(&'static str),
}

type Notes = HashMap<IpAddr, Vec<Instant>>;

/// Serves in a thread of its own until it is closed.
pub(crate) struct Listener {
    socket: Arc<TcpListener>,
    count: Arc<AtomicU64>,
    notes: Arc<Mutex<Notes>>,
}

impl Listener {
    pub(crate) fn start(port: u16, service: Service) -> Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
        listen(&socket, BACKLOG)?;
        let listener = Self { socket: Arc::new(socket), count: Arc::default(), notes: Arc::default() };
        let (socket, count, notes) =
            (Arc::clone(&listener.socket), Arc::clone(&listener.count), Arc::clone(&listener.notes));
        std::thread::spawn(move || serve(&socket, service, &count, &notes));
        Ok(listener)
    }

    /// How many have come.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Who was asked when, since this was last asked.
    pub(crate) fn notes(&self) -> Notes {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses new connections from now on.
    pub(crate) fn close(self) -> Result<()> {
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
            Service::Http(text) => {
                let _ = stream.set_read_timeout(Some(SILENCE));
                if stream.read(&mut buffer).is_ok_and(|length| length > 0) {
                    let length = text.len();
                    let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ";
                    let _ = stream.write_all(format!("{head}{length}\r\n\r\n{text}").as_bytes());
                }
            }
        }
    }
}
