//! Loads text and shows what was found, for tests that name rules by their ids.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses some of it")]
#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "what was found helps when a test fails")]

use std::path::Path;

use keepalived_config::model::{Global, Instance};
use keepalived_config::{AnyInterface, Facts, Finding, Loaded, MemorySource, load, render};

/// Loads one file.
pub(crate) fn text(text: &str) -> Loaded {
    with_facts(text, &AnyInterface)
}

/// Loads one file on a machine with `facts`.
pub(crate) fn with_facts(text: &str, facts: &dyn Facts) -> Loaded {
    files(&[("/etc/keepalived.conf", text)], facts)
}

/// Loads the first of several files, and renders everything that was found.
pub(crate) fn files(files: &[(&str, &str)], facts: &dyn Facts) -> Loaded {
    let source = files.iter().fold(MemorySource::default(), |source, (path, text)| source.with(path, *text));
    let loaded = load(&source, Path::new(files[0].0), facts);
    for finding in &loaded.findings {
        println!("{}", render(finding, loaded.files()));
    }
    loaded
}

/// The ids of findings that are more than information.
pub(crate) fn ids(findings: &[Finding]) -> Vec<&'static str> {
    let loud = findings.iter().filter(|finding| finding.rule.severity != keepalived_config::Severity::Info);
    loud.map(|finding| finding.rule.id).collect()
}

/// An instance with `body`, an interface and a VRID, and what was found.
pub(crate) fn instance(body: &str) -> (Instance, Vec<&'static str>) {
    instance_under("", body)
}

/// The same with `global` in `global_defs`, which stands after the instance: order must not matter.
pub(crate) fn instance_under(global: &str, body: &str) -> (Instance, Vec<&'static str>) {
    let loaded = text(&format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 5\n{body}\n}}\nglobal_defs {{\n{global}\n}}\n"
    ));
    let ids = ids(&loaded.findings);
    (loaded.config.instances.into_iter().next().expect("an instance"), ids)
}

/// `global_defs` with `body`.
pub(crate) fn global(body: &str) -> (Global, Vec<&'static str>) {
    let loaded = text(&format!("global_defs {{\n{body}\n}}\n"));
    (loaded.config.global, ids(&loaded.findings))
}

/// An address block.
pub(crate) const VIP: &str = "virtual_ipaddress { 10.0.0.100 }\n";
