//! The commands as an administrator uses them: what is printed, and the exit status.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

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

/// 3 x 1 s and a skew of (256 - 100) / 256 s (RFC 3768 §6.1); IPv4 header 20, VRRP 8, one address 4, authentication
/// data 8.
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
    let empty = files.write("empty.conf", "global_defs {\n}\n");
    let (status, _, err) = run(&["diff", &old, &empty]);
    let warning =
        "warning: the new configuration has no instance, no virtual server and no BFD session: 1 instance stops\n";
    assert_eq!((status, err.as_str()), (0, warning));
    let broken = files.write("broken.conf", &GOOD.replace("51", "300"));
    let (status, out, err) = run(&["diff", &old, &broken]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("so a reload changes nothing"), "{err}");
}

#[test]
fn explain_does_the_arithmetic_of_quorums() {
    let files = Files::new("quorum");
    let reals: String =
        (1..=3).map(|n| format!("real_server 10.0.1.{n} 80 {{\nTCP_CHECK {{\nconnect_timeout 2\n}}\n}}\n")).collect();
    let text = format!(
        "virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\ndelay_loop 10\nquorum 2\n{reals}}}\n"
    );
    let path = files.write("k.conf", &text);
    let (_, out, _) = run(&["explain", &path]);
    // one retry a second later (the default of TCP_CHECK), each attempt up to two seconds
    for wanted in ["10.0.0.1 80 TCP: 3 real servers, weight 3", "any 1 may fail", "a failure counts within 15 s"] {
        assert!(out.contains(wanted), "{wanted} is not in {out}");
    }
}

#[test]
fn fmt_lays_out_and_says_what_it_wrote() {
    let files = Files::new("fmt");
    let path = files.write("k.conf", "vrrp_instance   A {\ninterface eth0 # the uplink\n}\n");
    let laid_out = "vrrp_instance A {\n    interface eth0  # the uplink\n}\n";
    assert_eq!(run(&["fmt", "--check", &path]), (1, format!("{path}\n"), String::new()));
    assert_eq!(run(&["fmt", &path]), (0, format!("{path}\n"), String::new()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), laid_out);
    assert_eq!(run(&["fmt", "--check", &path]), (0, String::new(), String::new()));
    assert_eq!(std::fs::read_dir(&files.0).unwrap().count(), 1);
}

#[test]
fn fmt_keeps_permissions_and_links() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new("links");
    let path = files.write("k.conf", "a  b\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = files.0.join("link.conf");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(run(&["fmt", link.to_str().unwrap()]).0, 0);
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a b\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn expand_says_where_each_line_comes_from() {
    let files = Files::new("expand");
    let inner = files.write("inner.conf", "router_id ${NAME}\n");
    let path = files.write("k.conf", "$NAME=one\nglobal_defs {\n    include inner.conf\n}\n");
    let (status, out, err) = run(&["expand", &path]);
    assert_eq!((status, out.as_str(), err.as_str()), (0, "global_defs {\n    router_id one\n}\n", ""));
    let (_, out, _) = run(&["expand", "--origin", &path]);
    let line = out.lines().nth(1).unwrap();
    assert!(
        line.starts_with("    router_id one ") && line.ends_with(&format!("# {inner}:1, included at {path}:3")),
        "{line}"
    );
}

/// What in `value` is not as `schema` has it.
fn violations(value: &serde_json::Value, schema: &serde_json::Value, path: &str, out: &mut Vec<String>) {
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        other => panic!("a type that no schema of ours has: {other}"),
    };
    if !is(schema["type"].as_str().unwrap()) {
        return out.push(format!("{path}: {value} is no {}", schema["type"]));
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(schema) => violations(inner, schema, &format!("{path}/{key}"), out),
            None => out.push(format!("{path}/{key} is unknown")),
        }
    }
    for inner in value.as_array().into_iter().flatten() {
        violations(inner, &schema["items"], path, out);
    }
}

#[test]
fn expanded_configurations_are_as_the_schema_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let schema = std::fs::read_to_string(root.join("docs/keepalived.conf.schema.json")).unwrap();
    let schema = serde_json::from_str(&schema).unwrap();
    let mut count = 0;
    for folder in ["guides", "samples"] {
        for entry in std::fs::read_dir(root.join("config/tests/data").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if !path.file_name().unwrap().to_str().unwrap().contains(".conf") {
                continue;
            }
            let (_, out, _) = run(&["expand", "--json", path.to_str().unwrap()]);
            let mut found = Vec::new();
            violations(&serde_json::from_str(&out).unwrap(), &schema, "", &mut found);
            assert!(found.is_empty(), "{}: {found:?}", path.display());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn diff_names_what_changes_about_servers() {
    let files = Files::new("servers");
    let server =
        |rest: &str| format!("virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{rest}\n}}\n");
    let real = |address: &str, weight: u8| format!("real_server {address} 80 {{\nweight {weight}\n}}\n");
    let old = files.write("old.conf", &server(&(real("10.0.1.1", 1) + &real("10.0.1.2", 1))));
    let new =
        files.write("new.conf", &server(&(String::from("quorum 2\n") + &real("10.0.1.1", 3) + &real("10.0.1.3", 1))));
    let expected = "~ virtual server 10.0.0.1 80 TCP
    quorum: 1 -> 2
    - real server 10.0.1.2 80
    ~ real server 10.0.1.1 80 keeps its verdict
        weight: 1 -> 3
    + real server 10.0.1.3 80: it is up once its checks say so
";
    assert_eq!(run(&["diff", &old, &new]), (0, expected.to_owned(), String::new()));
}

/// Whoever reads a description takes it for what will run.
#[test]
fn what_would_not_run_is_said_first() {
    let files = Files::new("caution");
    let fatal = files.write("fatal.conf", &GOOD.replace("51", "300"));
    let (status, out, _) = run(&["explain", &fatal]);
    let said = format!("nothing of {fatal} would run; see keepalivedctl check {fatal}\n");
    assert_eq!((status, out.starts_with(&said)), (5, true), "{out}");
    let (status, out, err) = run(&["explain", "--json", &fatal]);
    assert_eq!((status, err.as_str()), (5, said.as_str()));
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    let (status, _, err) = run(&["expand", &fatal]);
    assert_eq!((status, err.as_str()), (5, said.as_str()));
    let partial = files.write("partial.conf", &GOOD.replace("10.0.0.1", "10.0.0.1\n        10.0.0.300"));
    let (status, out, _) = run(&["explain", &partial]);
    assert_eq!(status, 0);
    assert!(out.starts_with(&format!("not all of {partial} would run: there is 1 error;")), "{out}");
    let good = files.write("good.conf", GOOD);
    let (status, _, err) = run(&["diff", &partial, &good]);
    assert_eq!(status, 0);
    assert!(err.contains("not all of"), "{err}");
}

#[test]
fn one_server_is_one() {
    let files = Files::new("one");
    let text =
        "virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 10.0.1.1 80 {\n}\n}\n";
    let path = files.write("k.conf", text);
    let (_, out, _) = run(&["explain", &path]);
    assert!(out.contains("1 real server,") && out.contains("1 server is taken"), "{out}");
}
