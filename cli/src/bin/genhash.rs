//! The genhash binary: `keepalived --genhash` under its old name.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(keepalived_checks::genhash("genhash", std::env::args_os().skip(1)))
}
