//! Configurations as guides print them (tests/data/guides): each loads, and each gets the answers it deserves.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use keepalived_config::{AnyInterface, Loaded, MemorySource, Severity, exit_status, fatal, load, render};

fn guide(name: &str) -> Loaded {
    let path = format!("{}/tests/data/guides/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(path).unwrap();
    load(&MemorySource::one("keepalived.conf", text), Path::new("keepalived.conf"), &AnyInterface)
}

fn all() -> Vec<String> {
    let directory = format!("{}/tests/data/guides", env!("CARGO_MANIFEST_DIR"));
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".conf")).collect()
}

#[test]
fn every_guide_loads_and_every_finding_can_be_shown() {
    let names = all();
    assert_eq!(names.len(), 14);
    for name in names {
        let loaded = guide(&name);
        println!("=== {name}: {}", exit_status(&loaded.findings));
        for finding in &loaded.findings {
            println!("{}\n", render(finding, loaded.files()));
        }
    }
}

#[test]
fn the_ones_to_run_are_clean() {
    for name in ["archwiki-failover-a.conf", "archwiki-failover-b.conf", "astlinux-master.conf", "astlinux-backup.conf"]
    {
        let loaded = guide(name);
        assert!(loaded.findings.iter().all(|finding| finding.rule.severity == Severity::Info), "{name}");
        assert_eq!((exit_status(&loaded.findings), fatal(&loaded.findings)), (0, false), "{name}");
        assert_eq!(loaded.config.instances.len(), 1, "{name}");
    }
}

/// Observed with keepalived 2.2.7 -t: the others end with 5 (archwiki-sshd: 5 because its process does not exist here).
#[test]
fn the_exit_status_is_that_of_keepalived() {
    let status = |name: &str| exit_status(&guide(name).findings);
    for name in ["archwiki-balancing.conf", "guide-vmac.conf"] {
        assert_eq!(status(name), 0, "{name}");
    }
    for name in ["guide-failover-as-printed.conf", "guide-mixed.conf", "guide-ssl.conf", "notes-haproxy.conf"] {
        assert_eq!(status(name), 5, "{name}");
    }
}

#[test]
fn obsolete_words_get_an_answer() {
    let loaded = guide("guide-failover-as-printed.conf");
    let all: String = loaded.findings.iter().map(|finding| render(finding, loaded.files())).collect();
    assert!(all.contains("did you mean vrrp_instance?"), "{all}");
    assert!(all.contains("did you mean vrrp_sync_group?"), "{all}");
}
