//! The keepalived binary: one program for all its processes.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(keepalived_daemon::main(std::env::args_os()))
}
