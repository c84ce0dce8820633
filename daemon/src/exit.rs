//! Exit statuses of the daemon, those of keepalived.

/// All is well, or it runs already.
pub const OK: u8 = 0;
/// A bad option, or an error that another attempt does not help.
pub const FATAL: u8 = 1;
/// The configuration cannot be used.
pub const CONFIGURATION: u8 = 2;
/// Of a child: this machine is short of something. It may run later.
pub const SHORT: u8 = 3;
/// A permission is missing.
pub const NO_PERMISSION: u8 = 4;
/// `-t`: the configuration has errors or warnings.
pub const QUESTIONABLE: u8 = 5;
/// The configuration file is missing or cannot be read.
pub const NO_CONFIGURATION: u8 = 6;

/// Whether starting the process again would change nothing.
pub const fn is_permanent(status: i32) -> bool {
    matches!(status, 1 | 2 | 4)
}
