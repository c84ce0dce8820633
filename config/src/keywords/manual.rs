//! The manual and the coverage report, made from the table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Keyword, Kind, OURS, Status, Support, all};

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

/// `docs/coverage.md`: of each keyword, where it is shown that it is read, and that it does what it says.
pub fn coverage() -> String {
    let theirs = || all().filter(|row| row.kind == Kind::Keyword && row.area != OURS);
    let mut out = format!(
        "# Coverage of keepalived.conf\n\nGenerated from the keyword table by `cargo xtask docs`; do not edit.\n\n\
         {} of {} pairs of block and keyword of keepalived 2.4.3 are parsed into the model, and none is refused. *Parsed* means that\n\
         the row has a case in `config/tests/rows`: a statement, a place in the model, and what must stand there; `rows::every_row_has_a_case`\n\
         holds that. *Effective* means that it does what it says, and names the test that shows it; `documents::every_effective_keyword_is_shown`\n\
         holds that. Files behind the names of tests: [conformance.md](conformance.md). What a keyword means: [keywords.md](keywords.md).\n\n\
         | area | rows | parsed | effective |\n|---|---|---|---|\n",
        theirs().filter(|row| row.is_modelled()).count(),
        theirs().count(),
    );
    let mut areas: BTreeMap<&str, Vec<&Keyword>> = BTreeMap::new();
    for row in all() {
        areas.entry(row.area).or_default().push(row);
    }
    let mut summary = |area: &str, rows: &[&Keyword]| {
        let parsed = rows.iter().filter(|row| !parsed_by(row).is_empty()).count();
        let effective = rows.iter().filter(|row| row.is_effective()).count();
        let _ = writeln!(out, "| {area} | {} | {parsed} | {effective} |", rows.len());
    };
    areas.iter().for_each(|(area, rows)| summary(area, rows));
    summary("**all**", &all().collect::<Vec<_>>());
    let mut block = "";
    for row in all() {
        if row.block != block {
            block = row.block;
            let _ = write!(out, "\n## {}\n\n| keyword | parsed | effective |\n|---|---|---|\n", code(block));
        }
        let _ = writeln!(out, "| {} | {} | {} |", code(row.name), parsed_by(row), effective(row));
    }
    out
}

/// What shows that a row is read; empty if it is refused, as keepalived does.
fn parsed_by(row: &Keyword) -> String {
    match (row.is_modelled(), row.shown_by) {
        (true, _) => "case".to_owned(),
        // the effect of a directive is what is read
        (false, Some(test)) => code(test),
        (false, None) => String::new(),
    }
}

fn effective(row: &Keyword) -> String {
    match (row.shown_by, row.status) {
        (Some(test), _) if row.is_effective() => code(test),
        (_, Status::Idle { .. }) => "nothing to do".to_owned(),
        _ => "not yet".to_owned(),
    }
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
        Status::Idle { why } => format!("Accepted, and there is nothing to do: {why}"),
        Status::Obsolete { advice } => format!("Obsolete; {advice}"),
        Status::Deprecated { use_instead, .. } => format!("An old spelling; use {use_instead}"),
    }
}

fn status(row: &Keyword) -> String {
    match row.status {
        Status::Effective => "effective".to_owned(),
        Status::Accepted => "accepted".to_owned(),
        Status::Idle { why } => format!("nothing to do: {why}"),
        Status::Obsolete { .. } => "obsolete".to_owned(),
        Status::Deprecated { use_instead, effect, .. } => {
            let effect = match effect {
                Support::Effective => "effective",
                Support::Accepted => "accepted",
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
