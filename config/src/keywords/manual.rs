//! The manual and the coverage report, made from the table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Effect, Keyword, Kind, Status, all};

/// `docs/keywords.md`: every keyword, block by block.
pub fn manual() -> String {
    let mut out = String::from(
        "# Keywords\n\nGenerated from the keyword table (`config/src/keywords/`) by `cargo xtask docs`; do not edit.\n\
         A keyword marked *accepted* is known and read over: its effect comes with a later issue.\n",
    );
    let mut block = "";
    for row in all() {
        if row.block != block {
            block = row.block;
            let _ = write!(out, "\n## {}\n\n", code(block));
            out.push_str("| keyword | arguments | default | values | meaning | status |\n|---|---|---|---|---|---|\n");
        }
        let cells = [
            &code(row.name),
            &cell(row.arguments),
            &cell(row.default),
            &cell(&good_values(row)),
            &meaning(row),
            &status(row),
        ];
        let _ = writeln!(out, "| {} |", cells.map(String::as_str).join(" | "));
    }
    out
}

/// `docs/coverage.md`: how much of the language is effective, area by area, and what is not.
pub fn coverage() -> String {
    let mut areas: BTreeMap<&str, (usize, Vec<&Keyword>)> = BTreeMap::new();
    for row in all() {
        let (total, missing) = areas.entry(row.area).or_default();
        *total = total.saturating_add(1);
        if !row.is_effective() {
            missing.push(row);
        }
    }
    let mut out = String::from(
        "# Coverage of keepalived.conf\n\nGenerated from the keyword table by `cargo xtask docs`; do not edit.\n\
         Everything is accepted; this counts what is effective.\n\n| area | effective | of |\n|---|---|---|\n",
    );
    let (mut effective, mut of) = (0_usize, 0_usize);
    for (area, (total, missing)) in &areas {
        let works = total.saturating_sub(missing.len());
        let _ = writeln!(out, "| {area} | {works} | {total} |");
        effective = effective.saturating_add(works);
        of = of.saturating_add(*total);
    }
    let _ = writeln!(out, "| **all** | **{effective}** | **{of}** |");
    for (area, (_, missing)) in areas.iter().filter(|(_, (_, missing))| !missing.is_empty()) {
        let _ = write!(out, "\n## Not effective yet: {area}\n\n");
        let mut blocks: Vec<(&str, Vec<String>)> = Vec::new();
        for row in missing {
            match blocks.last_mut() {
                Some((block, names)) if *block == row.block => names.push(code(row.name)),
                _ => blocks.push((row.block, vec![code(row.name)])),
            }
        }
        for (block, names) in blocks {
            let _ = writeln!(out, "- {}: {}", code(block), names.join(", "));
        }
    }
    out
}

/// The range and the words that are good, and what else there is to say about them.
pub(super) fn good_values(row: &Keyword) -> String {
    let said = [row.value.to_string(), row.values.to_owned()];
    let said: Vec<String> = said.into_iter().filter(|text| !text.is_empty()).collect();
    said.join("; ")
}

fn meaning(row: &Keyword) -> String {
    let history = if row.history.is_empty() { String::new() } else { format!(" ({})", row.history) };
    let since = row.since.map(|version| format!(" Since {version}.")).unwrap_or_default();
    let details = row.details.map(|details| format!(" {details}")).unwrap_or_default();
    let directive = if row.kind == Kind::Directive { " Obeyed while reading." } else { "" };
    cell(&format!("{}{history}{directive}{since}{details}", row.meaning))
}

/// What there is to say about its state in a manual; empty if it does what it says.
pub(super) fn state_of(row: &Keyword) -> String {
    match row.status {
        Status::Effective => String::new(),
        Status::Accepted => "Accepted, but has no effect yet".to_owned(),
        Status::Obsolete { advice } => format!("Obsolete; {advice}"),
        Status::Deprecated { use_instead, .. } => format!("An old spelling; use {use_instead}"),
    }
}

fn status(row: &Keyword) -> String {
    match row.status {
        Status::Effective => "effective".to_owned(),
        Status::Accepted => "accepted".to_owned(),
        Status::Obsolete { .. } => "obsolete".to_owned(),
        Status::Deprecated { use_instead, effect, .. } => {
            let effect = match effect {
                Effect::Effective => "effective",
                Effect::Accepted => "accepted",
            };
            format!("{effect}; use {}", code(use_instead))
        }
    }
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
