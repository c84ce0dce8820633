//! Configuration text: whatever it is, there is a configuration and something to say about it.

use std::path::Path;

use keepalived_config::{AnyInterface, MemorySource, exit_status, load, plan, render};

/// What separates files in the input: an octet that no UTF-8 text has.
const NEXT_FILE: u8 = 0xff;
/// Names of the files that the input is cut into; each may include each.
const FILES: [&str; 4] = ["/etc/k.conf", "/etc/a.conf", "/etc/b.conf", "/etc/d/c.conf"];
/// Octets of one message at most: a line of the text is quoted, and cut where it is long.
const LONGEST_MESSAGE: usize = 20_000;

/// Loads the text, says everything there is to say about it, and compares it with itself.
///
/// # Panics
/// A finding points outside its file or is too long to read; or a configuration differs from itself.
pub fn configuration(data: &[u8]) {
    let texts = data.split(|octet| *octet == NEXT_FILE);
    let source =
        FILES.into_iter().zip(texts).fold(MemorySource::default(), |source, (path, text)| source.with(path, text));
    let [first, ..] = FILES;
    let loaded = load(&source, Path::new(first), &AnyInterface);
    for finding in &loaded.findings {
        assert!(render(finding, loaded.files()).len() < LONGEST_MESSAGE);
        for mark in finding.primary.iter().chain(&finding.secondary) {
            let file = loaded.files().get(mark.span.file).expect("a finding is in a file that was read");
            assert!(mark.span.start <= mark.span.end && mark.span.end <= file.bytes.len(), "{mark:?}");
        }
    }
    assert!([0, 2, 4, 5, 6].contains(&exit_status(&loaded.findings)));
    assert!(plan(&loaded.config, &loaded.config).is_ok_and(|plan| plan.is_empty()));
}
