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

/// The first four are what keepalived 2.4.3 reports; of a priority it says nothing.
#[test]
fn a_keyword_that_stands_twice_is_said() {
    check("url-path-twice", 5, &["said-again"]);
    let server = |virtual_server: &str, check: &str| {
        format!(
            "virtual_server 192.0.2.60 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{virtual_server}\n\
             real_server 192.0.2.100 80 {{\n{check}\n}}\n}}\n"
        )
    };
    let status = |text: &str| {
        let loaded = with_facts(text, &OUTSIDE);
        (exit_status(&loaded.findings), ids(&loaded.findings))
    };
    assert_eq!(status(&server("virtualhost a\nvirtualhost b", "TCP_CHECK {\n}")), (5, vec!["said-again"]));
    assert_eq!(status(&server("", "SMTP_CHECK {\nhelo_name a\nhelo_name b\n}")), (5, vec!["said-again"]));
    assert_eq!(status("SSL {\nkey /a\nkey /b\n}"), (5, vec!["said-again"]));
    assert_eq!(status(&server("quorum_up /bin/a\nquorum_up /bin/b", "TCP_CHECK {\n}")).0, 5);
    let twice = |line: &str| {
        format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 60\n{line}\nvirtual_ipaddress {{\n192.0.2.60\n}}\n}}\n"
        )
    };
    assert_eq!(status(&twice("priority 100\npriority 150")), (0, vec!["repeated"]));
    // global_defs is one, however many blocks it has
    let text = "global_defs {\nrouter_id a\n}\nglobal_defs {\nrouter_id b\n}\n";
    assert_eq!(status(text), (0, vec!["repeated"]));
    // a list goes on in a second block
    let lists = "virtual_ipaddress {\n192.0.2.61\n}\nvirtual_routes {\n10.0.0.0/8 dev eth0\n}\nvirtual_routes {\n10.1.0.0/16 dev eth0\n}";
    assert_eq!(status(&twice(lists)), (0, vec![]));
}
