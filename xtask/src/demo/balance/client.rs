//! A client that asks, again and again.

use super::clock::now;
use anyhow::{Context as _, Result};
use keepalived_kernel::process::NetworkNamespace;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// From the end of a request to the next.
const PAUSE: Duration = Duration::from_millis(48);
/// A user gives up a page that takes longer.
const PATIENCE: Duration = Duration::from_millis(200);

/// A request, and what became of it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) at: f64,
    /// Which server answered, or why none did.
    pub(super) answer: Result<String, &'static str>,
}

/// Asks until it is dropped.
pub(super) struct Client {
    requests: Arc<Mutex<Vec<Request>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    pub(super) fn start(namespace: &str, address: &str) -> Result<Self> {
        let namespace = NetworkNamespace::named(namespace)?;
        let address = SocketAddr::new(address.parse().context("an address")?, 80);
        let (requests, end): (Arc<Mutex<Vec<_>>>, Arc<AtomicBool>) = Default::default();
        let (to, ended) = (Arc::clone(&requests), Arc::clone(&end));
        let thread = std::thread::spawn(move || {
            namespace.enter().expect("it was opened");
            while !ended.load(Ordering::Relaxed) {
                let at = now();
                let answer = ask(address).map_err(|error| match error.kind() {
                    ErrorKind::ConnectionRefused => "refused",
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => "timed out",
                    _ => "cut off",
                });
                to.lock().unwrap_or_else(PoisonError::into_inner).push(Request { at, answer });
                std::thread::sleep(PAUSE);
            }
        });
        Ok(Self { requests, end, thread: Some(thread) })
    }

    /// Since this was last asked.
    pub(super) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.take(4096).read_to_string(&mut text)?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned());
    body.filter(|body| !body.is_empty()).ok_or_else(|| ErrorKind::UnexpectedEof.into())
}
