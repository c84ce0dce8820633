//! How long it takes to read two configurations and to compare them: `plan_cost OLD NEW`, in milliseconds. `cargo xtask
//! bench` runs it.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use keepalived_config::{AnyInterface, Loaded, MemorySource, load, plan};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(old), Some(new)) = (arguments.next(), arguments.next()) else {
        return Err("usage: plan_cost OLD NEW".into());
    };
    let old = read(&old)?;
    let begun = Instant::now();
    let new = read(&new)?;
    println!("parse {}", milliseconds(begun));
    let begun = Instant::now();
    let plan = plan(&old.config, &new.config)?;
    println!("plan {}", milliseconds(begun));
    println!("changes {}", plan.changes.len());
    Ok(())
}

fn read(path: &str) -> Result<Loaded, Box<dyn Error>> {
    Ok(load(&MemorySource::one("k.conf", std::fs::read(path)?), Path::new("k.conf"), &AnyInterface))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
