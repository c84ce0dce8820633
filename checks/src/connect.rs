//! From an endpoint to a socket.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;

use keepalived_config::model::{Endpoint, Origin};
use keepalived_kernel::dial::{self, Dialled};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};

use crate::deadline::Deadlines;
use crate::failure::{Failure, Step};

/// Connects.
pub(crate) async fn tcp(endpoint: &Endpoint, deadlines: &Deadlines) -> Result<TcpStream, Failure> {
    match dial(endpoint)? {
        Dialled::Connected(stream) => TcpStream::from_std(stream).map_err(refused),
        Dialled::UnderWay(stream) => finish(stream, deadlines).await,
    }
}

/// Connects and sends. What can be sent at once needs no waiting for readiness.
pub(crate) async fn tcp_and_send(
    endpoint: &Endpoint,
    deadlines: &Deadlines,
    request: &[u8],
) -> Result<TcpStream, Failure> {
    let (mut stream, sent) = match dial(endpoint)? {
        Dialled::Connected(mut stream) => {
            let sent = match stream.write(request) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(Failure::io(Step::Send, &error)),
                sent => sent.unwrap_or_default(),
            };
            (TcpStream::from_std(stream).map_err(refused)?, sent)
        }
        Dialled::UnderWay(stream) => (finish(stream, deadlines).await?, 0),
    };
    match request.get(sent..) {
        None | Some([]) => {}
        Some(rest) => deadlines.within(Step::Send, stream.write_all(rest)).await?,
    }
    Ok(stream)
}

/// Connects, and that is all.
pub(crate) async fn tcp_only(endpoint: &Endpoint) -> Result<(), Failure> {
    match dial(endpoint)? {
        Dialled::Connected(_) => Ok(()),
        Dialled::UnderWay(stream) => finish(stream, &Deadlines::new(endpoint.connect_timeout.get())).await.map(drop),
    }
}

fn dial(endpoint: &Endpoint) -> Result<Dialled, Failure> {
    dial::tcp(target(endpoint)?, origin(endpoint).as_ref()).map_err(refused)
}

async fn finish(stream: std::net::TcpStream, deadlines: &Deadlines) -> Result<TcpStream, Failure> {
    let stream = TcpStream::from_std(stream).map_err(refused)?;
    deadlines.within(Step::Connect, stream.writable()).await?;
    match stream.take_error() {
        Ok(None) => Ok(stream),
        Ok(Some(error)) | Err(error) => Err(Failure::io(Step::Connect, &error)),
    }
}

/// A socket that hears the endpoint only.
pub(crate) fn udp(endpoint: &Endpoint) -> Result<UdpSocket, Failure> {
    let socket = dial::udp(target(endpoint)?, origin(endpoint).as_ref()).map_err(refused)?;
    UdpSocket::from_std(socket).map_err(refused)
}

/// An ICMP socket that hears the endpoint only.
pub(crate) fn ping(endpoint: &Endpoint) -> Result<UdpSocket, Failure> {
    let socket = dial::ping(endpoint.address, origin(endpoint).as_ref()).map_err(refused)?;
    UdpSocket::from_std(socket).map_err(refused)
}

/// Address and port of the endpoint.
pub(crate) fn target(endpoint: &Endpoint) -> Result<SocketAddr, Failure> {
    let port = endpoint.port.ok_or(Failure::NoPort)?;
    Ok(SocketAddr::new(endpoint.address, port.get()))
}

fn origin(endpoint: &Endpoint) -> Option<dial::Origin> {
    let Origin { address, port, interface, fwmark } = **endpoint.origin.as_ref()?;
    Some(dial::Origin { address, port: port.map_or(0, |port| port.get()), interface, mark: fwmark })
}

fn refused(error: std::io::Error) -> Failure {
    Failure::at_once(&error)
}
