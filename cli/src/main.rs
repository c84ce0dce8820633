//! The keepalivedctl binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(keepalived_cli::main(std::env::args_os()))
}
