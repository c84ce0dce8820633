//! Serves the page as the observer does, and fails in the ways that the observer may.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Result;
use keepalived_lab::Namespace;
use keepalived_surface::page;

use crate::site::Site;

/// How it fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Health {
    #[default]
    Well,
    /// Connections stay, and nothing comes any more.
    Silent,
    /// It speaks, and has no documents.
    Failing,
}

#[derive(Debug, Default)]
struct Served {
    status: String,
    events: String,
    /// So often it was given other documents.
    version: u64,
    health: Health,
    /// Documents that were asked for.
    asked: u64,
    /// Things may be changed with this token.
    token: Option<&'static str>,
    /// What was to be changed.
    changes: Vec<String>,
}

/// A server on port 80 of 127.0.0.1 in a namespace. It ends with this program.
#[derive(Clone, Debug)]
pub(crate) struct Server(Arc<Mutex<Served>>);

impl Server {
    pub(crate) fn start(namespace: &Namespace, site: &Site) -> Result<Self> {
        let listener = namespace.inside(|| Ok(TcpListener::bind("127.0.0.1:80")?))?;
        let server = Self(Arc::default());
        server.show(site);
        let serves = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serves = serves.clone();
                std::thread::spawn(move || serves.serve(stream).ok());
            }
        });
        Ok(server)
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        self.0.lock().expect("no panic")
    }

    pub(crate) fn show(&self, site: &Site) {
        let (status, events) = (site.status(), site.events());
        let mut served = self.served();
        served.status = status;
        served.events = events;
        served.version += 1;
    }

    pub(crate) fn fare(&self, health: Health) {
        self.served().health = health;
    }

    pub(crate) fn asked(&self) -> u64 {
        self.served().asked
    }

    pub(crate) fn allow(&self, token: Option<&'static str>) {
        self.served().token = token;
    }

    /// What was to be changed since this was asked before.
    pub(crate) fn changes(&self) -> Vec<String> {
        std::mem::take(&mut self.served().changes)
    }

    /// Answers as the observer does, and changes nothing. A server that is called `stubborn` stays as it is.
    fn change(&self, path: &str, token: Option<&str>, body: String) -> (&'static str, &'static str) {
        let mut served = self.served();
        match served.token {
            None => ("405 Method Not Allowed", "Only GET: nothing can be changed here.\n"),
            wanted if wanted != token => ("401 Unauthorized", "The token is missing or wrong.\n"),
            Some(_) if path == "/token" => ("200 OK", "The token is right.\n"),
            Some(_) if body.contains("stubborn") => ("409 Conflict", "no server is called stubborn\n"),
            Some(_) => {
                served.changes.push(body);
                ("200 OK", "Done.\n")
            }
        }
    }

    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut line = String::new();
        let (mut token, mut length) = (None, 0);
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.trim_end().split_once(": ") {
                match name.to_ascii_lowercase().as_str() {
                    "authorization" => token = value.strip_prefix("Bearer ").map(str::to_owned),
                    "content-length" => length = value.parse()?,
                    _ => {}
                }
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        while self.served().health == Health::Silent {
            std::thread::sleep(Duration::from_millis(50));
        }
        let path = path.split('?').next().unwrap_or_default();
        if first.starts_with("POST ") {
            let (status, words) = self.change(path, token.as_deref(), String::from_utf8(body)?);
            let length = words.len();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{words}")?;
            return Ok(());
        }
        let actions = self.served().token.map_or("", |_| "Page-Actions: token\r\n");
        let (kind, body) = match path {
            "/" => ("text/html; charset=utf-8", page::HTML.to_owned()),
            "/page.css" => ("text/css; charset=utf-8", page::CSS.to_owned()),
            "/page.js" => ("text/javascript; charset=utf-8", page::SCRIPT.to_owned()),
            "/actions.js" => ("text/javascript; charset=utf-8", page::ACTIONS_SCRIPT.to_owned()),
            "/status.json" | "/events.json" => {
                let mut served = self.served();
                served.asked += 1;
                if served.health == Health::Failing {
                    write!(stream, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n")?;
                    return Ok(());
                }
                ("application/json", if path == "/status.json" { served.status.clone() } else { served.events.clone() })
            }
            "/live" => return self.live(stream),
            _ => {
                write!(stream, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")?;
                return Ok(());
            }
        };
        let policy = page::POLICY;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\n{actions}Content-Type: {kind}\r\nContent-Security-Policy: {policy}\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        stream.write_all(body.as_bytes())?;
        Ok(())
    }

    fn live(&self, mut stream: TcpStream) -> Result<()> {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
        let mut before = self.served().version;
        loop {
            let (version, health) = {
                let served = self.served();
                (served.version, served.health)
            };
            if health == Health::Silent {
                // this connection stays so
                std::thread::sleep(Duration::from_secs(600));
                return Ok(());
            }
            let word = if version == before { "alive" } else { "changed" };
            before = version;
            write!(stream, "event: {word}\ndata:\n\n")?;
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}
