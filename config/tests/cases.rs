//! Small configurations, each with one question: `data/cases`. The status is that of keepalived 2.4.3 `-t` as it was seen.

mod support;

use std::path::Path;

use keepalived_config::facts::Inside;
use keepalived_config::{Facts, InterfaceFacts, MemorySource, exit_status, load};
use keepalived_core::address::InterfaceName;
use support::{ids, with_facts};

/// A machine with these interfaces, and a namespace `inner` with the interface in0.
struct Machine(&'static [&'static str]);

const OUTSIDE: Machine = Machine(&["lo", "eth0", "eth1", "eth2", "eth3"]);

impl Facts for Machine {
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        let is_there = self.0.contains(&"*") || self.0.iter().any(|there| there.as_bytes() == name.as_bytes());
        is_there.then(|| InterfaceFacts { loopback: name.as_bytes() == b"lo", ..InterfaceFacts::ETHERNET })
    }

    fn inside(&self, name: &str) -> Option<Inside> {
        let exists = name == "inner";
        Some(Inside { exists, facts: Box::new(Self(if exists { &["lo", "in0"] } else { &["*"] })) })
    }
}

/// The exit status of `-t`, and the findings that are more than information.
fn check(name: &str, status: u8, found: &[&str]) {
    let path = format!("{}/tests/data/cases/{name}.conf", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a case");
    let loaded = with_facts(&text, &OUTSIDE);
    assert_eq!((exit_status(&loaded.findings), &ids(&loaded.findings)[..]), (status, found), "{name}");
}

#[test]
fn interfaces_are_those_of_the_namespace() {
    check("namespace-interface-inside", 0, &[]);
    check("namespace-interface-outside", 5, &["interface-unknown"]);
}

/// keepalived ends with 0 here, because it looks at nothing else; we go on, and find the priority.
#[test]
fn a_namespace_that_is_missing_is_said_and_the_rest_is_checked() {
    check("namespace-missing", 5, &["namespace-missing", "number-range"]);
}

/// keepalived changes to the directory of the file, and asks where it is.
#[test]
fn the_directory_of_a_file_is_absolute() {
    struct Elsewhere(MemorySource);
    impl keepalived_config::Source for Elsewhere {
        fn read(&self, path: &Path) -> Result<Vec<u8>, keepalived_config::SourceError> {
            self.0.read(path)
        }
        fn glob(&self, pattern: &str, base: &Path) -> Vec<std::path::PathBuf> {
            self.0.glob(pattern, base)
        }
        fn directory(&self, path: &Path) -> std::path::PathBuf {
            Path::new("/work").join(path.parent().unwrap_or(Path::new("")))
        }
    }
    let source =
        MemorySource::one("k.conf", "global_defs {\nrouter_id ${_PWD}\ninclude d/i.conf\ninclude ${_PWD}/k.conf\n}")
            .with("d/i.conf", "process_name ${_PWD}\n");
    let loaded = load(&Elsewhere(source), Path::new("k.conf"), &OUTSIDE);
    assert_eq!(loaded.config.global.router_id.as_deref(), Some("/work/"));
    assert_eq!(loaded.config.global.process_name.as_deref(), Some("/work/d"));
}
