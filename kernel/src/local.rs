//! Sockets where the daemon can be asked: one that listens at a path, one at a port, and who is at the other end of a connection.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// A process at the other end of a connection, as it was when it connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Its user.
    pub uid: u32,
    /// Its groups.
    pub groups: Vec<u32>,
    /// Its number, if it is in our namespace.
    pub pid: Option<i32>,
}

/// Listens at `path`, for all users of this machine. A socket that nobody listens at is replaced; it is never gone for a moment.
///
/// # Errors
/// Another program listens there (`AddrInUse`); something that is no socket is there (`AlreadyExists`); as `bind`.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) if is_in_use(path)? => return Err(io::ErrorKind::AddrInUse.into()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    // what a killed process of the same number has left
    std::fs::remove_file(&temporary).ok();
    let listener = UnixListener::bind(&temporary)?;
    let put = listener
        .set_nonblocking(true)
        .and_then(|()| Ok(rustix::net::listen(&listener, BACKLOG)?))
        .and_then(|()| std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o666)))
        .and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = put {
        std::fs::remove_file(&temporary).ok();
        return Err(error);
    }
    Ok(listener.into())
}

/// Names a file on this machine, wherever it is moved: its device and its number there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileId(u64, u64);

/// What is at `path` itself; a link is not followed.
pub fn file_id(path: &Path) -> Option<FileId> {
    let there = std::fs::symlink_metadata(path).ok()?;
    Some(FileId(there.dev(), there.ino()))
}

/// Connects to the program that listens at `path`.
///
/// # Errors
/// As `connect`; `TimedOut` if its queue is full for so long.
pub fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_write_timeout(Some(patience))?;
    socket.connect(&socket2::SockAddr::unix(path)?).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    let stream = UnixStream::from(OwnedFd::from(socket));
    stream.set_read_timeout(Some(patience))?;
    Ok(stream)
}

/// Connects to the program that listens at `path`, and does not wait for it: neither now nor when the socket is used.
///
/// # Errors
/// As `connect`; `WouldBlock` if its queue is full.
pub fn connect_at_once(path: &Path) -> io::Result<UnixStream> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&socket2::SockAddr::unix(path)?)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

/// Whether a program listens at `path`. It does not wait for that program.
fn is_in_use(path: &Path) -> io::Result<bool> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // one whose queue is full listens, too
    Ok(match socket.connect(&socket2::SockAddr::unix(path)?) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    })
}

/// Listens at a port.
///
/// # Errors
/// As `bind`.
pub fn listen_at(address: SocketAddr) -> io::Result<OwnedFd> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

/// Who is at the other end of `connection`.
///
/// # Errors
/// As `getsockopt`.
pub fn caller(connection: &impl AsFd) -> io::Result<Caller> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of_val(&credentials)).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `length` octets into `credentials`, all values of whose members are valid.
    let result = unsafe {
        libc::getsockopt(
            connection.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut groups = groups(connection.as_fd())?;
    groups.push(credentials.gid);
    // 0 is one of another namespace
    Ok(Caller { uid: credentials.uid, groups, pid: Some(credentials.pid).filter(|pid| *pid != 0) })
}

/// The supplementary groups at the other end (`SO_PEERGROUPS`).
fn groups(connection: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; 64];
    loop {
        let mut length = libc::socklen_t::try_from(size_of_val(&*groups)).map_err(io::Error::other)?;
        // SAFETY: the kernel writes at most `length` octets into `groups`, which has so many, and says in `length` how many it wants.
        let result = unsafe {
            libc::getsockopt(
                connection.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let wanted = usize::try_from(length).unwrap_or(usize::MAX) / size_of::<u32>();
        match result {
            0 => {
                groups.truncate(wanted);
                return Ok(groups);
            }
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ERANGE) && wanted > groups.len() => {
                    groups.resize(wanted, 0);
                }
                error => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("keepalived-local-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_replaced_and_no_other() {
        let folder = folder("listen");
        let path = folder.join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        let first = listen(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(listen(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(listen(&path).is_ok());
        let file = folder.join("file");
        std::fs::write(&file, "mine").unwrap();
        assert_eq!(listen(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let link = folder.join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(listen(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "nothing temporary is left");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn one_whose_queue_is_full_is_not_waited_for_without_end() {
        let folder = folder("full");
        let path = folder.join("control.sock");
        let _listener = listen(&path).unwrap();
        let connected = || connect(&path, Duration::from_millis(20));
        let error = (0..10_000).map(|_| connected().map(std::mem::forget)).find_map(Result::err).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(connect_at_once(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_is_known_by_more_than_its_name() {
        let folder = folder("known");
        let path = folder.join("control.sock");
        assert_eq!(file_id(&path), None);
        let _first = listen(&path).unwrap();
        let first = file_id(&path).unwrap();
        std::fs::rename(&path, folder.join("moved")).unwrap();
        let _second = listen(&path).unwrap();
        assert_ne!(file_id(&path), Some(first));
        assert_eq!(file_id(&folder.join("moved")), Some(first));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_caller_is_who_connected() {
        let (one, _other) = UnixStream::pair().unwrap();
        let caller = caller(&one).unwrap();
        assert_eq!(caller.uid, rustix::process::geteuid().as_raw());
        assert!(caller.groups.contains(&rustix::process::getegid().as_raw()));
        assert_eq!(caller.pid, Some(i32::try_from(std::process::id()).unwrap()));
    }
}
