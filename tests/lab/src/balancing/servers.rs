//! Small real servers.

use anyhow::Result;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Path to status and text.
type Pages = Arc<Mutex<BTreeMap<String, (u16, String)>>>;

/// A server; it closes with this value, connections that it has taken do not.
pub(super) struct Server {
    socket: Arc<dyn AsFd + Send + Sync>,
    pages: Pages,
}

impl Server {
    /// It closes each connection at once.
    pub(super) fn silent(at: SocketAddr) -> Result<Self> {
        Self::serving(at, drop)
    }

    pub(super) fn echo(at: SocketAddr) -> Result<Self> {
        Self::serving(at, move |(stream, _)| drop(std::thread::spawn(move || echo(stream, at).ok())))
    }

    pub(super) fn web(at: SocketAddr) -> Result<Self> {
        // a client that goes away is no matter
        Self::serving(at, |(stream, pages)| drop(std::thread::spawn(move || answer(stream, &pages).ok())))
    }

    /// It takes mail, but for the letter itself.
    pub(super) fn mail(at: SocketAddr) -> Result<Self> {
        Self::serving(at, |(stream, _)| drop(std::thread::spawn(move || mail(stream).ok())))
    }

    /// It answers each datagram with the same, marked as an answer as name servers do (RFC 1035 §4.1.1: QR).
    pub(super) fn names(at: SocketAddr) -> Result<Self> {
        let socket = Arc::new(UdpSocket::bind(at)?);
        let server = Self { socket: Arc::clone(&socket) as _, pages: Pages::default() };
        std::thread::spawn(move || {
            let mut octets = [0; 1500];
            // not `recv_from`: that panics at the end, which comes from nowhere
            while let Ok((_, count @ 1.., Some(from))) =
                rustix::net::recvfrom(&socket, &mut octets, rustix::net::RecvFlags::empty())
            {
                octets[2] |= 0x80;
                let _ = rustix::net::sendto(&socket, &octets[..count], rustix::net::SendFlags::empty(), &from);
            }
        });
        Ok(server)
    }

    fn serving(at: SocketAddr, serve: impl Fn((TcpStream, Pages)) + Send + 'static) -> Result<Self> {
        let (listener, pages) = (Arc::new(TcpListener::bind(at)?), Pages::default());
        let server = Self { socket: Arc::clone(&listener) as _, pages: Arc::clone(&pages) };
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                serve((stream, Arc::clone(&pages)));
            }
        });
        Ok(server)
    }

    pub(super) fn page(&self, path: &str, status: u16, text: &str) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(path.to_owned(), (status, text.to_owned()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // wakes the thread that waits in `accept`, and closes the port at once
        let _ = rustix::net::shutdown((*self.socket).as_fd(), rustix::net::Shutdown::Both);
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

fn mail(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 lab\r\n")?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let answer = if line?.starts_with("QUIT") { "221 bye" } else { "250 lab" };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}

fn echo(mut stream: TcpStream, at: SocketAddr) -> std::io::Result<()> {
    for line in BufReader::new(stream.try_clone()?).lines() {
        stream.write_all(format!("{at} {}\n", line?).as_bytes())?;
    }
    Ok(())
}

fn answer(mut stream: TcpStream, pages: &Pages) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?.take(16_384));
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split_whitespace().nth(1).unwrap_or("/");
    let page = pages.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    let (status, text) = page.unwrap_or_else(|| (404, "no such page".to_owned()));
    write!(stream, "HTTP/1.0 {status} Said\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}
