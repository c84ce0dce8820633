//! The commands as an administrator uses them: what is printed, and the exit status.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of one test, gone afterwards.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("keepalivedctl-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Exit status, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_keepalivedctl")).args(arguments).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const GOOD: &str = "vrrp_instance A {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        10.0.0.1
    }
}
";

#[test]
fn a_good_file_is_fine() {
    let files = Files::new("good");
    let path = files.write("k.conf", GOOD);
    assert_eq!(run(&["check", &path]), (0, "nothing to complain about\n".to_owned(), String::new()));
}

#[test]
fn a_mistake_is_shown_with_its_place() {
    let files = Files::new("mistake");
    let path = files.write("k.conf", &GOOD.replace("interface", "interfcae"));
    let (status, out, _) = run(&["check", &path]);
    assert_eq!(status, 5);
    assert!(out.contains(&format!("--> {path}:2:5")) && out.contains("did you mean interface?"), "{out}");
}

#[test]
fn colours_come_when_they_are_asked_for() {
    let files = Files::new("colour");
    let path = files.write("k.conf", &GOOD.replace("interface", "interfcae"));
    assert!(run(&["check", "--color", "always", &path]).1.contains("\x1b["));
    assert!(!run(&["check", &path]).1.contains('\x1b'));
}

#[test]
fn records_can_be_read_by_programs() {
    let files = Files::new("records");
    let path = files.write("k.conf", &GOOD.replace("virtual_router_id 51", "virtual_router_id 51\n    priorty 7"));
    let (_, out, _) = run(&["check", "--format", "json", &path]);
    let records: serde_json::Value = serde_json::from_str(&out).unwrap();
    let record = &records[0];
    assert_eq!((&record["id"], &record["place"]["line"]), (&"unknown-keyword".into(), &4.into()));
    assert_eq!((&record["fix"]["text"], &record["fix"]["end_column"]), (&"priority".into(), &12.into()));
    let (_, out, _) = run(&["check", "--format", "sarif", &path]);
    let log: serde_json::Value = serde_json::from_str(&out).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(result["ruleId"], "unknown-keyword");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
    let change = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(change["insertedContent"]["text"], "priority");
}

#[test]
fn several_files_are_a_cluster() {
    let files = Files::new("cluster");
    let one = files.write("one.conf", GOOD);
    let two = files.write("two.conf", &GOOD.replace("51", "51\n    advert_int 3\n    priority 90"));
    let (status, out, _) = run(&["check", &one, &two]);
    assert_eq!(status, 5);
    assert!(out.contains("advert_int is 3s here, 1s at") && out.contains("in 2 nodes"), "{out}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let (status, out, err) = run(&["check", "/nonexistent/k.conf"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert_eq!(err, "keepalivedctl: cannot read /nonexistent/k.conf: it does not exist\n");
    assert!(!Path::new("/nonexistent").exists());
}

/// 3 x 1 s and a skew of (256 - 100) / 256 s (RFC 3768 §6.1); IPv4 header 20, VRRP 8, one address 4, authentication data 8.
#[test]
fn explain_says_how_long_a_failover_takes() {
    let files = Files::new("explain");
    let path = files.write("k.conf", GOOD);
    let (status, out, _) = run(&["explain", &path]);
    assert_eq!(status, 0);
    for wanted in [
        "A: VRID 51, VRRP version 2, IPv4 on eth0, priority 100",
        "2.609 s to 3.609 s after the master dies; 0.609 s after it stops in order",
        "40 octets every 1 s, to 224.0.0.18",
    ] {
        assert!(out.contains(wanted), "{wanted} is not in {out}");
    }
}

#[test]
fn diff_says_what_a_reload_changes() {
    let files = Files::new("diff");
    let old = files.write("old.conf", GOOD);
    let new = files.write("new.conf", &GOOD.replace("10.0.0.1", "10.0.0.2").replace("51", "51\n    advert_int 2"));
    assert_eq!(run(&["diff", &old, &old]), (0, "a reload would change nothing\n".to_owned(), String::new()));
    let (status, out, _) = run(&["diff", &old, &new]);
    let expected = "~ instance A (VRID 51) keeps its state
    - virtual_ipaddress 10.0.0.1
    + advert_int 2
    + virtual_ipaddress 10.0.0.2
";
    assert_eq!((status, out.as_str()), (0, expected));
    assert_eq!(run(&["diff", "--exit-code", &old, &new]).0, 1);
    let broken = files.write("broken.conf", &GOOD.replace("51", "300"));
    let (status, out, err) = run(&["diff", &old, &broken]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("so a reload changes nothing"), "{err}");
}
