//! Findings in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS), as code hosts and editors read
//! it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::record::{FindingRecord, Replacement, SourceRange};
use super::{ALL, Severity};

/// A log with one run.
#[derive(Clone, Debug, Serialize)]
pub struct Log {
    version: &'static str,
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [Run; 1],
}

#[derive(Clone, Debug, Serialize)]
struct Run {
    tool: Tool,
    #[serde(rename = "columnKind")]
    column_kind: &'static str,
    results: Vec<SarifResult>,
}

#[derive(Clone, Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Clone, Debug, Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Description>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    id: &'static str,
    short_description: Message,
    help: Message,
}

#[derive(Clone, Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    level: &'static str,
    message: Message,
    locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Mend>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Clone, Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mend {
    artifact_changes: [Change; 1],
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    artifact_location: Artifact,
    replacements: [Edit; 1],
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Edit {
    deleted_region: Region,
    inserted_content: Message,
}

/// The log of `records`.
pub fn sarif(records: &[FindingRecord]) -> Log {
    let named: BTreeSet<&str> = records.iter().map(|record| record.id).collect();
    let rules = ALL.iter().filter(|rule| named.contains(rule.id));
    let rules = rules.map(|rule| Description {
        id: rule.id,
        short_description: Message { text: rule.meaning.to_owned() },
        help: Message { text: rule.fix.to_owned() },
    });
    let driver = Driver { name: "keepalived-rs", version: env!("CARGO_PKG_VERSION"), rules: rules.collect() };
    let run = Run {
        tool: Tool { driver },
        // octets are not among the kinds that SARIF knows; for ASCII, which configurations are, they are the same
        column_kind: "unicodeCodePoints",
        results: records.iter().map(result).collect(),
    };
    Log { version: "2.1.0", schema: "https://json.schemastore.org/sarif-2.1.0.json", runs: [run] }
}

fn result(record: &FindingRecord) -> SarifResult {
    let level = match record.severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let more = record.notes.iter().chain(&record.help).map(|text| format!("; {text}"));
    SarifResult {
        rule_id: record.id,
        level,
        message: Message { text: std::iter::once(record.message.clone()).chain(more).collect() },
        locations: record.place.iter().map(location).collect(),
        related_locations: record.related.iter().map(location).collect(),
        fixes: record.fix.iter().map(mend).collect(),
    }
}

fn location(place: &SourceRange) -> Location {
    let physical_location = Physical { artifact_location: artifact(place), region: region(place) };
    let message = (!place.label.is_empty()).then(|| Message { text: place.label.clone() });
    Location { physical_location, message }
}

fn artifact(place: &SourceRange) -> Artifact {
    Artifact { uri: place.file.clone() }
}

fn region(place: &SourceRange) -> Region {
    Region {
        start_line: place.line,
        start_column: place.column,
        end_line: place.end_line,
        end_column: place.end_column,
    }
}

fn mend(fix: &Replacement) -> Mend {
    let edit = Edit { deleted_region: region(&fix.place), inserted_content: Message { text: fix.text.clone() } };
    Mend { artifact_changes: [Change { artifact_location: artifact(&fix.place), replacements: [edit] }] }
}
