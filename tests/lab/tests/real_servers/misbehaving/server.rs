//! Servers that do what a test tells them, in threads of their own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, bind, connect, listen, recvfrom, sendto,
    shutdown, socket, socket_with, sockopt,
};

/// What a server does after it has accepted; at the end it closes.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Reads what has come, once.
    Hear,
    /// Says this.
    Say(Vec<u8>),
    /// Says this again and again.
    Forever(Vec<u8>),
    /// Says this again and again, with a pause before each.
    Drip(u8, Duration),
    /// Does nothing for this long.
    Wait(Duration),
    /// Does nothing any more, and does not close.
    Hang,
    /// Resets the connection.
    Reset,
}

pub(super) fn say(text: &str) -> Act {
    Act::Say(text.as_bytes().to_vec())
}

pub(super) fn forever(text: &str) -> Act {
    Act::Forever(text.as_bytes().to_vec())
}

/// Closes with this value.
pub(super) struct Server(Arc<TcpListener>);

impl Server {
    pub(super) fn open(at: &str, acts: &[Act]) -> Result<Self> {
        let acts = acts.to_vec();
        Self::serving(at, move |stream| drop(perform(stream, &acts)))
    }

    fn serving(at: &str, serve: impl Fn(TcpStream) + Clone + Send + 'static) -> Result<Self> {
        let listener = Arc::new(TcpListener::bind(at).with_context(|| at.to_owned())?);
        let accepting = Arc::clone(&listener);
        thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                let serve = serve.clone();
                thread::spawn(move || serve(stream));
            }
        });
        Ok(Self(listener))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // wakes the thread
        let _gone = shutdown(self.0.as_fd(), Shutdown::Both);
    }
}

/// The client may go away at any moment.
fn perform(mut stream: TcpStream, acts: &[Act]) -> std::io::Result<()> {
    let mut heard = [0; 4096];
    for act in acts {
        match act {
            Act::Hear => drop(stream.read(&mut heard)?),
            Act::Say(text) => stream.write_all(text)?,
            Act::Forever(text) => {
                let many = text.repeat(65_536 / text.len());
                loop {
                    stream.write_all(&many)?;
                }
            }
            Act::Drip(octet, pause) => loop {
                thread::sleep(*pause);
                stream.write_all(&[*octet])?;
            },
            Act::Wait(pause) => thread::sleep(*pause),
            Act::Hang => while stream.read(&mut heard)? > 0 {},
            Act::Reset => {
                sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
                return Ok(());
            }
        }
    }
    // what is unread would make a reset of it
    stream.shutdown(std::net::Shutdown::Write)?;
    while stream.read(&mut heard)? > 0 {}
    Ok(())
}

/// A server that is well, and knows when it was asked.
pub(super) struct Healthy {
    _server: Server,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Healthy {
    pub(super) fn open(at: &str) -> Result<Self> {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&asked);
        let server = Server::serving(at, move |stream| {
            note.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            let _gone = perform(stream, &[Act::Hear, say("HTTP/1.0 200 OK\r\n\r\nwell")]);
        })?;
        Ok(Self { _server: server, asked })
    }

    /// How often it was asked.
    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How much more than a second there was at most between two questions from number `begin` on.
    pub(super) fn latest(&self, begin: usize) -> Result<Duration> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let since = asked.get(begin..).context("so many were there")?;
        let most = since.windows(2).map(|pair| pair[1] - pair[0]).max().context("it was asked twice")?;
        Ok(most.saturating_sub(Duration::from_secs(1)))
    }
}

/// A place where nobody accepts and the queue is full, and one that answers datagrams with those of another server.
pub(super) struct Unheard {
    _queue: Vec<OwnedFd>,
    names: Arc<UdpSocket>,
}

impl Unheard {
    pub(super) fn open(at: &str, names: &str) -> Result<Self> {
        let at: SocketAddr = at.parse()?;
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&listener, &at)?;
        listen(&listener, 0)?;
        let mut queue = vec![listener];
        for _ in 0..2 {
            let client = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
            let _under_way = connect(&client, &at);
            queue.push(client);
        }
        let names = Arc::new(UdpSocket::bind(names)?);
        let answering = Arc::clone(&names);
        thread::spawn(move || {
            let mut octets = [0; 512];
            // not `recv_from`: that panics at the end, which comes from nowhere
            while let Ok((_, length @ 12.., Some(from))) = recvfrom(&answering, &mut octets, RecvFlags::empty()) {
                // another id; no response; cut off; and all of it again
                let mut other = octets[..length].to_vec();
                other[0] ^= 0xff;
                other[2] |= 0x80;
                for answer in [&other[..], &octets[..length], &octets[..11], b""].into_iter().cycle().take(4000) {
                    let _gone = sendto(&answering, answer, SendFlags::empty(), &from);
                }
            }
        });
        Ok(Self { _queue: queue, names })
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _gone = shutdown(self.names.as_fd(), Shutdown::Both);
    }
}
