//! Socket options that no crate wraps.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

use crate::packets::BufferSize;

/// Sets an option whose value is an `int`.
pub(crate) fn set(socket: impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_value(socket, level, name, value)
}

/// Sets an option whose value is a plain structure.
pub(crate) fn set_value<T: Copy>(socket: impl AsFd, level: i32, name: i32, value: T) -> io::Result<()> {
    let length = socket_length::<T>();
    let pointer = (&raw const value).cast();
    // SAFETY: `value` is readable for `length` octets and outlives the call, which only reads it.
    let set = unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, pointer, length) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Size of a structure as the socket calls want it.
pub(crate) fn socket_length<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("no structure of the kernel has 4 GiB")
}

/// Lets the socket hold `size` octets of what has arrived, beyond the system's limit if we may.
pub(crate) fn receive_buffer(socket: impl AsFd + Copy, size: BufferSize) -> io::Result<()> {
    let octets = i32::try_from(size.0).unwrap_or(i32::MAX);
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, octets)
        .or_else(|_| set(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, octets))
}

/// Sets the size of the send buffer to `octets`, beyond the system's limit if we may.
pub(crate) fn send_buffer(socket: impl AsFd + Copy, octets: i32) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, octets)
        .or_else(|_| set(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, octets))
}

/// A structure of the C library with every octet zero.
pub(crate) fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain` promises that all octets zero is a value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// A structure for which all octets zero is a valid value.
///
/// # Safety
/// It holds integers, nullable pointers and arrays of them only.
pub(crate) unsafe trait Plain {}

macro_rules! plain {
    ($($name:ty),* $(,)?) => {$(
        // SAFETY: integers, arrays of them and raw pointers.
        unsafe impl Plain for $name {}
    )*};
}
plain! {
    libc::mmsghdr,
    libc::sockaddr_in,
    libc::sockaddr_in6,
    libc::sockaddr_ll,
    libc::sockaddr_storage,
    libc::iovec,
}
