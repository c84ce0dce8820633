//! Reading without keeping a buffer: all dialogues of a thread share one, held only between two waits.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;

use keepalived_kernel::dial;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::UdpSocket;

/// As much as is taken at once; no UDP datagram is longer.
const SIZE: usize = 65_536;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into());
}

/// Reads once and gives what came to `taken`; nothing is the end of the stream.
pub(crate) async fn read<T>(stream: &mut (impl AsyncRead + Unpin), mut taken: impl FnMut(&[u8]) -> T) -> io::Result<T> {
    poll_fn(|context| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
            Ok(taken(buffer.filled())).into()
        })
    })
    .await
}

/// Takes one datagram, or the error that ICMP has reported.
pub(crate) async fn receive<T>(socket: &UdpSocket, mut taken: impl FnMut(&[u8]) -> T) -> io::Result<T> {
    // an error alone does not make a socket readable
    let interest = Interest::READABLE | Interest::ERROR;
    let take = || {
        SCRATCH.with_borrow_mut(|scratch| {
            let length = dial::receive(socket, scratch)?;
            Ok(taken(scratch.get(..length).unwrap_or_default()))
        })
    };
    socket.async_io(interest, take).await
}
