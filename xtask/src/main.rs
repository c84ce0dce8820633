//! `cargo xtask`: everything that a developer runs.

mod bench;
mod check;
mod demo;
mod docs;
mod packages;
mod soak;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask demo [--daemon ours|debian]   two routers, one address: kill the master and watch
cargo xtask test [--debian]               all that CI runs; --debian: the lab against Debian's keepalived, to test the lab
cargo xtask bench [--only NAME] [--quick] [--runs N] [--daemon ours|debian|both]
                                          ours against the installed keepalived, into docs/performance.md
cargo xtask bench --list                  the names of its rows
cargo xtask soak [--minutes N]            two routers under loss, partition and crash; nothing may go wrong
cargo xtask docs                          write the generated pages of docs/
";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // from wherever it is called, we work at the root of the workspace
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))?;
    match words.as_slice() {
        ["demo", options @ ..] => demo::run(options),
        ["test", options @ ..] => check::run(options),
        ["bench", options @ ..] => bench::run(options),
        ["soak", options @ ..] => soak::run(options),
        ["docs"] => docs::run(),
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{HELP}");
            Ok(())
        }
        [other, ..] => bail!("there is no {other:?}\n{HELP}"),
    }
}

/// The value of `--name VALUE` among the options.
fn option<'a>(options: &[&'a str], name: &str) -> Option<&'a str> {
    let at = options.iter().position(|&word| word == name)?;
    options.get(at + 1).copied()
}
