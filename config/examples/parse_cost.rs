//! What reading text to a tree costs, without what it means: `cargo run --release --example parse_cost SERVERS [tree]`;
//! with `tree` it stops there, else the text is only made. The difference of the largest memory is that of the tree.
#![expect(clippy::print_stdout, reason = "it measures")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use keepalived_config::syntax::parse;
use keepalived_config::{MemorySource, Options, Source, SourceError};

/// Gives its text away: what is measured is not a copy.
struct Once(std::cell::Cell<Vec<u8>>);

impl Source for Once {
    fn read(&self, _path: &Path) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.take())
    }

    fn glob(&self, pattern: &str, base: &Path) -> Vec<std::path::PathBuf> {
        MemorySource::one("/k", "").glob(pattern, base)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let servers: usize = arguments.next().ok_or("usage: parse_cost SERVERS [tree]")?.parse()?;
    let text = text(servers)?;
    println!("text {} kB, largest memory {}", text.len() / 1024, largest_memory()?);
    if arguments.next().is_none() {
        return Ok(());
    }
    let source = Once(text.into_bytes().into());
    let begun = Instant::now();
    let parsed = parse(&source, Path::new("/k"), &Options::default());
    let took = begun.elapsed();
    let (statements, findings) = (parsed.tree.len(), parsed.findings.sorted().len());
    println!("{statements} statements, {findings} findings, {took:?}, largest memory {}", largest_memory()?);
    Ok(())
}

/// So many virtual servers with ten real servers each, each with a TCP check.
fn text(servers: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::with_capacity(servers.saturating_mul(2048));
    for server in 0..servers {
        let (high, low) = (server / 250 % 250, server % 250);
        writeln!(text, "virtual_server 10.{high}.{low}.1 80 {{")?;
        writeln!(text, "    delay_loop 10\n    lvs_sched wrr\n    lvs_method NAT\n    protocol TCP\n")?;
        for real in 1..=10 {
            writeln!(text, "    real_server 10.{high}.{low}.{real} 80 {{\n        weight 1\n        TCP_CHECK {{")?;
            writeln!(text, "            connect_timeout 3\n            connect_port 80\n        }}\n    }}")?;
        }
        writeln!(text, "}}")?;
    }
    Ok(text)
}

/// `VmHWM` of this process.
fn largest_memory() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or_default().trim().to_owned())
}
