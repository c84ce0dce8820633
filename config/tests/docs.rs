//! The committed pages are what the tables say. `UPDATE_DOCS=1 cargo test -p keepalived-config --test docs` writes
//! them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use keepalived_config::{finding, keywords};

fn check(name: &str, expected: &str) {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{name} is out of date; run with UPDATE_DOCS=1");
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

#[test]
fn the_manual_of_keywords_is_up_to_date() {
    check("keywords.md", &keywords::manual());
}

#[test]
fn the_man_page_is_up_to_date() {
    check("keepalived.conf.5", &keywords::man_page());
}

#[test]
fn the_schema_is_up_to_date() {
    check("keepalived.conf.schema.json", &json(&keywords::schema()));
}

#[test]
fn the_completion_data_is_up_to_date() {
    check("keepalived.conf.completion.json", &json(&keywords::completion()));
}

#[test]
fn the_coverage_report_is_up_to_date() {
    check("coverage.md", &keywords::coverage());
}

#[test]
fn the_manual_of_findings_is_up_to_date() {
    check("findings.md", &finding::findings_manual());
}
