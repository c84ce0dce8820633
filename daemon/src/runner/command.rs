//! How a command of the configuration is executed.

use std::ffi::OsString;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process;

use keepalived_config::model::Command;

/// First argument of a process that connects. For our use only.
pub const CONNECTS: &str = "--connection-for";

/// Exit statuses of a shell: it could not open a file, or could not run a program.
const NOT_OPENED: u8 = 1;
const NOT_RUN: u8 = 127;

/// The file to execute, and its arguments.
pub(super) fn executed(command: Command<'_>, extra: &[String]) -> (String, Vec<OsString>) {
    let words = |first: &[&str], rest: &[String]| {
        let first = first.iter().map(OsString::from);
        first.chain(rest.iter().chain(extra).map(OsString::from)).collect()
    };
    match command {
        Command::Program { file, arguments } => (file.to_owned(), words(&[], arguments)),
        // the words are passed on as they are: the shell interprets none of them
        Command::Redirection { path, reader } => ("/bin/sh".to_owned(), words(&["-c", r#"<"$0" "$@""#, path], reader)),
        Command::Connection { host, port, reader } => {
            ("/proc/self/exe".to_owned(), words(&[CONNECTS, host, &port.to_string()], reader))
        }
    }
}

/// The program whose permissions matter, if it is not one of ours or of the system.
pub(super) fn judged(command: Command<'_>) -> Option<&str> {
    match command {
        Command::Program { file, .. } => Some(file),
        Command::Redirection { reader, .. } | Command::Connection { reader, .. } => reader.first().map(String::as_str),
    }
}

/// Connects to HOST and PORT of `arguments`, and becomes the program that follows, with the connection as its input. Returns the exit
/// status: without a program, 0 if the connection was made.
pub fn connect(arguments: Vec<OsString>) -> u8 {
    let mut words = arguments.into_iter();
    let peer = words.next().zip(words.next());
    let peer = peer.and_then(|(host, port)| Some((host.into_string().ok()?, port.to_str()?.parse::<u16>().ok()?)));
    let Some(stream) = peer.and_then(|(host, port)| TcpStream::connect((host, port)).ok()) else { return NOT_OPENED };
    let Some(reader) = words.next() else { return 0 };
    // it returns only if it fails, and the status says that
    let _error = process::Command::new(reader).args(words).stdin(OwnedFd::from(stream)).exec();
    NOT_RUN
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use keepalived_config::model::Script;

    use super::*;

    fn script(words: &[&str]) -> Script {
        Script { argv: words.iter().map(|word| (*word).to_owned()).collect(), user: None, group: None }
    }

    /// Statuses as observed with keepalived 2.2.7, where dash is /bin/sh; the shell interprets no word.
    #[test]
    fn a_shell_opens_what_a_redirection_names() {
        let status = |words: &[&str], extra: &[String]| {
            let script = script(words);
            let (file, arguments) = executed(script.command().unwrap(), extra);
            process::Command::new(file).args(arguments).stderr(process::Stdio::null()).status().unwrap().code()
        };
        assert_eq!(status(&["</etc/passwd"], &[]), Some(0));
        assert_eq!(status(&["</nonexistent"], &[]), Some(2));
        assert_eq!(status(&["</etc/passwd", "grep", "-q", "root"], &[]), Some(0));
        assert_eq!(status(&["</etc/passwd", "grep", "-q", "no such line", ">>", "/nonexistent/file"], &[]), Some(2));
        assert_eq!(status(&["</etc/passwd", "test"], &["a".into(), "=".into(), "a".into()]), Some(0));
        assert_eq!(status(&["</etc/passwd;exit 7"], &[]), Some(2));
    }

    #[test]
    fn we_connect_ourselves() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let name = format!("</dev/tcp/127.0.0.1/{port}");
        let script = script(&[&name]);
        let (file, arguments) = executed(script.command().unwrap(), &[]);
        assert_eq!((file.as_str(), arguments.first().unwrap().to_str()), ("/proc/self/exe", Some(CONNECTS)));
        let connect = || connect(arguments.iter().skip(1).cloned().collect());
        assert_eq!(connect(), 0);
        drop(listener);
        assert_eq!(connect(), NOT_OPENED);
        assert_eq!(super::connect(vec!["127.0.0.1".into()]), NOT_OPENED);
    }

    #[test]
    fn what_reads_is_judged() {
        let check = |words: &[&str], expected| assert_eq!(judged(script(words).command().unwrap()), expected);
        check(&["/bin/true", "x"], Some("/bin/true"));
        check(&["</run/x"], None);
        check(&["</run/x", "/tmp/mine"], Some("/tmp/mine"));
        check(&["</dev/tcp/a/1", "/tmp/mine"], Some("/tmp/mine"));
    }
}
