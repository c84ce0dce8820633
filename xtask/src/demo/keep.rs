//! `--keep`: a demo stays up, and a browser of this machine can look at its status pages.

use crate::options::Known;
use crate::say::say;
use anyhow::{Context as _, Result};
use keepalived_kernel::process::NetworkNamespace;
use keepalived_lab::{Lab, sandbox};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};

pub(crate) const OPTION: Known =
    Known { name: "--keep", value: "", about: "leave it up at the end, and say where its status page is" };

/// Where a daemon serves its page, in its own namespace.
const PORT: u16 = 9650;

/// A configuration, and the page.
pub(crate) fn with_page(configuration: &str) -> String {
    configuration.replacen("global_defs {\n", &format!("global_defs {{\n    metrics_listen {PORT}\n"), 1)
}

/// Says where the pages of these routers are, and waits for Ctrl-C.
pub(crate) fn until_interrupted(lab: &Lab, routers: &[(usize, &str)]) -> Result<()> {
    say!();
    for (router, name) in routers {
        let namespace = lab.router(*router).namespace().name();
        say!("The status page of {name}: http://{}/", forward(namespace)?);
    }
    if sandbox::inside() {
        let me = std::process::id();
        say!("This demo has a network of its own. A program of yours enters it by");
        say!("   nsenter --target {me} --user --net --preserve-credentials PROGRAM");
    }
    say!("Ctrl-C ends the demo and removes it.");
    loop {
        std::thread::park();
    }
}

/// Passes connections on to the page in a namespace. Returns where they come in.
fn forward(namespace: &str) -> Result<SocketAddr> {
    let at = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match at(PORT) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => at(0),
        bound => bound,
    };
    let listener = listener.context("no port for the page")?;
    let address = listener.local_addr()?;
    let namespace = namespace.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let namespace = namespace.clone();
            // who has gone is no news
            std::thread::spawn(move || pass_on(client, &namespace).ok());
        }
    });
    Ok(address)
}

fn pass_on(client: TcpStream, namespace: &str) -> Result<()> {
    NetworkNamespace::named(namespace)?.enter()?;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let back = std::thread::spawn(move || {
        std::io::copy(&mut from_server, &mut to_client).ok();
        to_client.shutdown(Shutdown::Both).ok();
    });
    std::io::copy(&mut &client, &mut &server).ok();
    server.shutdown(Shutdown::Write).ok();
    back.join().ok();
    Ok(())
}
