//! A network namespace for each test, made in the test's own thread.

use std::io;
use std::process::Command;

use keepalived_kernel::process::NetworkNamespace;

/// A fresh namespace in which the thread now is; `None` (said aloud) where that is not permitted. In CI it must be.
pub(crate) fn fresh_namespace() -> Option<NetworkNamespace> {
    match NetworkNamespace::fresh() {
        Ok(namespace) => Some(namespace),
        Err(error) if std::env::var_os("CI").is_none() && error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: a network namespace needs root ({error})");
            None
        }
        Err(error) => panic!("cannot make a network namespace: {error}"),
    }
}

/// Runs `ip` in the namespace of this thread.
pub(crate) fn ip(arguments: &str) {
    ip_says(arguments);
}

/// The same, and what it says.
pub(crate) fn ip_says(arguments: &str) -> String {
    let done = Command::new("ip").args(arguments.split_whitespace()).output().expect("iproute2 is installed");
    assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}
