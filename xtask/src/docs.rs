//! `cargo xtask docs`: the pages that come from code.

use crate::options::{Command, Given};
use crate::say::say;
use anyhow::{Context as _, Result};
use keepalived_config::{finding, keywords};

pub(crate) const COMMAND: Command = Command { name: "docs", about: "write the generated pages of docs/", options: &[] };

pub(crate) fn run(_options: &Given) -> Result<()> {
    for (path, text) in pages()? {
        std::fs::write(path, text).context(path)?;
        say!("{path}");
    }
    Ok(())
}

fn pages() -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("docs/keywords.md", keywords::manual()),
        ("docs/coverage.md", keywords::coverage()),
        ("docs/findings.md", finding::findings_manual()),
        ("docs/keepalived.conf.5", keywords::man_page()),
        ("docs/keepalived.conf.schema.json", serde_json::to_string_pretty(&keywords::schema())? + "\n"),
        ("docs/keepalived.conf.completion.json", serde_json::to_string_pretty(&keywords::completion())? + "\n"),
    ])
}
