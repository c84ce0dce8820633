//! What is said about mistakes, word for word: `messages/*.md` holds each mistake with its answer, to be read as prose.
//! `UPDATE_MESSAGES=1` writes the answers.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::path::Path;

use keepalived_config::{AnyInterface, MemorySource, exit_status, load, render};

/// A heading, a configuration, and what is said about it.
struct Mistake<'a> {
    title: &'a str,
    text: &'a str,
    answer: &'a str,
}

fn mistakes(page: &str) -> Vec<Mistake<'_>> {
    let sections = page.split("\n## ").skip(1);
    sections
        .map(|section| {
            let (title, rest) = section.split_once('\n').unwrap();
            let rest = rest.split_once("```conf\n").unwrap().1;
            let (text, rest) = rest.split_once("```\n\n```text\n").unwrap();
            let answer = rest.rsplit_once("```").unwrap().0;
            Mistake { title, text, answer }
        })
        .collect()
}

fn answer(text: &str) -> String {
    let loaded = load(&MemorySource::one("keepalived.conf", text), Path::new("keepalived.conf"), &AnyInterface);
    // that something is not built yet is no answer to a mistake
    let findings = loaded.findings.iter().filter(|finding| finding.rule.id != "not-effective");
    let mut answer = String::new();
    for finding in findings {
        writeln!(answer, "{}\n", render(finding, loaded.files())).unwrap();
    }
    writeln!(answer, "exit status {}", exit_status(&loaded.findings)).unwrap();
    answer
}

#[test]
fn every_mistake_gets_its_answer() {
    let directory = format!("{}/tests/messages", env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_MESSAGES").is_some();
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        let mut written = page.split("\n## ").next().unwrap().to_owned();
        for mistake in mistakes(&page) {
            count += 1;
            let answer = answer(mistake.text);
            if answer != mistake.answer {
                wrong.push(format!("{}:\n{answer}", mistake.title));
            }
            // a mistake that nobody mentions is a defect of ours
            assert!(answer.lines().count() > 1, "nothing is said: {}", mistake.title);
            write!(written, "\n## {}\n\n```conf\n{}```\n\n```text\n{answer}```\n", mistake.title, mistake.text)
                .unwrap();
        }
        if update {
            std::fs::write(&path, written).unwrap();
        }
    }
    assert!(count >= 60, "{count}");
    assert!(update || wrong.is_empty(), "{}", wrong.join("\n\n"));
}
