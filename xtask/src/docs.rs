//! `cargo xtask docs`: the pages that come from code.

use anyhow::{Context as _, Result};
use keepalived_config::{finding, keywords};

pub(crate) fn run() -> Result<()> {
    for (path, text) in pages() {
        std::fs::write(path, text).context(path)?;
        println!("{path}");
    }
    Ok(())
}

fn pages() -> [(&'static str, String); 3] {
    [
        ("docs/keywords.md", keywords::manual()),
        ("docs/coverage.md", keywords::coverage()),
        ("docs/findings.md", finding::findings_manual()),
    ]
}
