//! `keepalivedctl check`: what is wrong with a configuration, or between several.

use std::path::PathBuf;

use clap::ValueEnum;
use keepalived_config::cluster::{Member, compare};
use keepalived_config::finding::{FindingRecord, Log, records, sarif};
use keepalived_config::{Finding, Loaded, Severity, Style, exit_status, render_in};

use crate::input::Reading;
use crate::{Answer, json};

/// What `check` is given.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Configuration files; several are the nodes of one cluster
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Leave out what is merely worth knowing
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// An array of records
    Json,
    /// SARIF 2.1.0
    Sarif,
}

pub(crate) fn run(arguments: &Arguments, style: Style) -> Answer {
    let mut nodes: Vec<(String, Loaded)> = Vec::new();
    for path in &arguments.files {
        nodes.push((path.display().to_string(), arguments.reading.load(path)?));
    }
    let members: Vec<Member<'_>> = nodes.iter().map(|(name, loaded)| Member { name, loaded }).collect();
    let between = compare(&members);
    let mut all: Vec<Vec<Finding>> = nodes.iter().map(|(_, loaded)| loaded.findings.clone()).collect();
    for found in between {
        if let Some(findings) = all.get_mut(found.member) {
            findings.push(found.finding);
        }
    }
    let status = all.iter().map(|findings| exit_status(findings)).max().unwrap_or_default();
    let least = if arguments.quiet { Severity::Warning } else { Severity::Info };
    for findings in &mut all {
        findings.retain(|finding| finding.rule.severity >= least);
    }
    let shown: Vec<(&Loaded, Vec<Finding>)> = nodes.iter().map(|(_, loaded)| loaded).zip(all).collect();
    let text = match arguments.format {
        Format::Text => text(&shown, style),
        Format::Json => json(all_records(&shown).as_slice())?,
        Format::Sarif => json::<Log>(&sarif(&all_records(&shown)))?,
    };
    Ok((text.into_bytes(), status))
}

fn text(shown: &[(&Loaded, Vec<Finding>)], style: Style) -> String {
    let mut out = String::new();
    for (loaded, findings) in shown {
        for finding in findings {
            out += &render_in(style, finding, loaded.files());
            out += "\n\n";
        }
    }
    out + &summary(shown) + "\n"
}

/// "2 errors, 1 warning", or that there is nothing.
fn summary(shown: &[(&Loaded, Vec<Finding>)]) -> String {
    let count = |severity| {
        shown.iter().flat_map(|(_, findings)| findings).filter(|finding| finding.rule.severity == severity).count()
    };
    let counted = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let parts = [
        counted(count(Severity::Error), "error", "errors"),
        counted(count(Severity::Warning), "warning", "warnings"),
        counted(count(Severity::Info), "remark", "remarks"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let files = match shown.len() {
        1 => String::new(),
        count => format!(" in {count} nodes"),
    };
    if parts.is_empty() { format!("nothing to complain about{files}") } else { parts.join(", ") + &files }
}

fn all_records(shown: &[(&Loaded, Vec<Finding>)]) -> Vec<FindingRecord> {
    shown.iter().flat_map(|(loaded, findings)| records(findings, loaded.files())).collect()
}
