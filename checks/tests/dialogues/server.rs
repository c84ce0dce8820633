//! A server that does what a test tells it, once or more often.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a server does after it has accepted.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads until this has come.
    Hear(&'static [u8]),
    /// Says this.
    Say(Vec<u8>),
    /// Says this again and again.
    SayForEver(Vec<u8>),
    /// Does nothing for this long.
    Wait(Duration),
    /// Does nothing any more, and does not close.
    Hang,
    /// Resets the connection.
    Reset,
}

pub(crate) fn say(text: impl AsRef<[u8]>) -> Act {
    Act::Say(text.as_ref().to_vec())
}

/// Starts a server that does `acts` for everyone who connects, then closes.
pub(crate) async fn serve(acts: Vec<Act>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acts = acts.clone();
            // the client may close at any moment
            tokio::spawn(async move { perform(stream, acts).await.ok() });
        }
    });
    address
}

async fn perform(mut stream: TcpStream, acts: Vec<Act>) -> std::io::Result<()> {
    let mut heard = Vec::new();
    for act in acts {
        match act {
            Act::Hear(end) => {
                while !heard.windows(end.len()).any(|window| window == end) {
                    if stream.read_buf(&mut heard).await? == 0 {
                        return Ok(());
                    }
                }
                heard.clear();
            }
            Act::Say(text) => stream.write_all(&text).await?,
            Act::SayForEver(text) => loop {
                stream.write_all(&text).await?;
            },
            Act::Wait(pause) => tokio::time::sleep(pause).await,
            Act::Hang => std::future::pending().await,
            Act::Reset => {
                stream.set_zero_linger()?;
                return Ok(());
            }
        }
    }
    stream.shutdown().await
}
