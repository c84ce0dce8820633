//! `docs/findings.md`: a page per rule.

use std::fmt::Write as _;

use super::{Class, Finding, Severity, exit_status, rules::ALL};

/// What each finding means, what keepalived does about it, an example, the fix.
pub fn findings_manual() -> String {
    let mut out = String::from(
        "# Findings\n\nGenerated from `config/src/finding/rules.rs` by `cargo xtask docs`; do not edit.\n\
         The exit status is that of `-t` if there is nothing else to find.\n",
    );
    for rule in ALL {
        let severity = match rule.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let fatal = if rule.fatal { ", nothing runs with it" } else { "" };
        let status = exit_status(&[Finding::anywhere(rule, "")]);
        let status = if rule.class == Class::Fine { String::new() } else { format!(", exit status {status}") };
        let _ = write!(
            out,
            "\n## {}\n\n*{severity}{fatal}{status}*\n\n{}\n\nkeepalived: {}\n\n```\n{}\n```\n\nWhat to do: {}\n",
            rule.id, rule.meaning, rule.keepalived, rule.example, rule.fix
        );
    }
    out
}
