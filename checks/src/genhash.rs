//! `genhash`: fetches a page as `HTTP_GET` would and prints the digest to configure.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use keepalived_config::model::{Endpoint, Origin, Ssl};
use md5::{Digest as _, Md5};

use crate::failure::{Failure, Step};
use crate::http::{Secure, Sink, fetch, fetch_secure, request};
use crate::peer_text::PeerText;
use crate::tls::{Tls, Trust};

mod hex;
mod options;

use options::{Asked, Options};

/// The program: `name` as the usage shows it (`genhash`, `keepalived --genhash`), `arguments` without the zeroth;
/// returns the exit status, which is 0 even if nothing could be fetched, as with keepalived.
pub fn genhash(name: &str, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let (out, err, status) = match options::read(arguments) {
        Ok(Asked::Fetch(options)) => {
            let (out, err) = run(&options);
            (out, err, 0)
        }
        Ok(Asked::Version) => (Vec::new(), format!("genhash (keepalived-rs) {}\n", env!("CARGO_PKG_VERSION")), 0),
        Ok(Asked::Help) => (Vec::new(), options::usage(name), 1),
        Err(errors) => (Vec::new(), errors + &options::usage(name), 1),
    };
    io::stderr().lock().write_all(err.as_bytes()).ok();
    // a reader that has seen enough is no failure
    io::stdout().lock().write_all(&out).ok();
    status
}

/// What is said on standard output and on standard error.
fn run(options: &Options) -> (Vec<u8>, String) {
    let mut page = Page { verbose: options.verbose, ..Page::default() };
    let started = Instant::now();
    let result = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(get(options, &mut page)),
        Err(error) => Err(Failure::io(Step::Connect, &error)),
    };
    let err = match &result {
        Err(Failure::Closed(Step::Header)) => "no data received from remote webserver\n".to_owned(),
        Err(Failure::Local(_) | Failure::System(Step::Connect, _) | Failure::TimedOut(Step::Connect, _)) => {
            page.say(&format!("Connection failed{}\n", reason(&result)));
            return (page.out, String::new());
        }
        Err(failure) => {
            page.say(&format!("{failure}\n"));
            return (page.out, String::new());
        }
        Ok(()) => String::new(),
    };
    let received = page.status.is_some();
    let digest: [u8; 16] = std::mem::take(&mut page.digest).finalize().into();
    if page.verbose {
        page.finish_dump();
        page.say("\n");
        page.say(&banner("    HTML hash resulting    "));
        let rows = hex::dump(&digest, 0);
        page.say(&rows);
        page.say(&banner(" HTML hash final resulting "));
    }
    if received {
        page.say(&format!("{:032x}\n", u128::from_be_bytes(digest)));
    }
    if page.verbose {
        page.say(&format!("\nGlobal response time for [{}] = {} usecs\n", options.url, started.elapsed().as_micros()));
    }
    (page.out, err)
}

fn reason(result: &Result<(), Failure>) -> String {
    result.as_ref().err().map(|failure| format!(": {failure}")).unwrap_or_default()
}

async fn get(options: &Options, page: &mut Page) -> Result<(), Failure> {
    let Options { server, port, .. } = options;
    let host = options.host.as_deref();
    let request = request(options.protocol, &options.url, host, SocketAddr::new(*server, port.get()))?;
    let origin = Origin { fwmark: options.mark, ..Origin::default() };
    let endpoint = Endpoint {
        address: *server,
        port: Some(*port),
        connect_timeout: options.timeout.into(),
        origin: (options.mark != 0).then(|| Box::new(origin)),
    };
    if !options.secure {
        return fetch(&endpoint, &request, page).await;
    }
    let tls = Tls::new(&Ssl::default(), Trust::Anyone).map_err(|error| Failure::Tls(PeerText::show(&error)))?;
    let name = host.filter(|_| options.sni);
    fetch_secure(&endpoint, &request, Secure { tls: &tls, name, goodbye: false }, page).await
}

/// What has come, as it is shown.
#[derive(Default)]
struct Page {
    verbose: bool,
    status: Option<u16>,
    digest: Md5,
    out: Vec<u8>,
    /// The last octets of the body, less than a row of the dump.
    row: Vec<u8>,
    /// Octets of the body in rows that have been shown.
    shown: usize,
    body: bool,
}

/// As much of a dump as is kept before it is printed; what is beyond is not shown.
const LONGEST_DUMP: usize = 64 * 1024 * 1024;

impl Page {
    fn say(&mut self, text: &str) {
        self.out.extend(text.as_bytes());
    }

    fn finish_dump(&mut self) {
        if !self.row.is_empty() {
            let row = hex::dump(&self.row, self.shown);
            self.say(&row);
            self.row.clear();
        }
    }
}

impl Sink for Page {
    fn head(&mut self, status: u16, head: &[u8]) -> Result<(), Failure> {
        self.status = Some(status);
        if self.verbose {
            self.say(&banner("    HTTP Header Buffer    "));
            self.say(&hex::dump(head, 0));
            self.say(&banner(" HTTP Header Ascii Buffer "));
            self.out.extend(head);
            self.say("\n");
        }
        Ok(())
    }

    fn body(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.digest.update(octets);
        if self.verbose && self.out.len() < LONGEST_DUMP {
            if !self.body {
                self.body = true;
                self.say(&banner("        HTML Buffer        "));
            }
            self.row.extend(octets);
            let whole = self.row.len() - self.row.len() % hex::WIDTH;
            let rest = self.row.split_off(whole);
            let rows = hex::dump(&self.row, self.shown);
            self.say(&rows);
            self.shown += whole;
            self.row = rest;
        }
        Ok(())
    }
}

/// Scripts cut keepalived's output at these.
fn banner(title: &str) -> String {
    let line = "-".repeat(23);
    format!("{line}[{title}]{line}\n")
}
