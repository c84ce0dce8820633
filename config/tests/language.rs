//! The text level: braces, comments, quotes, includes, conditions, definitions. Expected values: syntax.md, seen with
//! 2.4.3.

mod support;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use keepalived_config::syntax::parse;
use keepalived_config::{
    AnyInterface, Loaded, MemorySource, Options, Source, SourceError, exit_status, fatal, load, load_with, render,
};
use support::{files, ids, text};

const NONE: [&str; 0] = [];

fn router_id(configuration: &str) -> (Option<String>, Vec<&'static str>) {
    let loaded = text(configuration);
    (loaded.config.global.router_id, ids(&loaded.findings))
}

fn check(configuration: &str, expected: &str, findings: &[&str]) {
    let (router_id, ids) = router_id(configuration);
    assert_eq!(router_id.unwrap_or_default(), expected, "{configuration}");
    assert_eq!(ids, findings, "{configuration}");
}

#[test]
fn braces_may_stand_anywhere() {
    check("global_defs { router_id x }", "x", &[]);
    check("global_defs{router_id x}", "x", &[]);
    check("global_defs\n\n# comment\n{\nrouter_id x\n}", "x", &[]);
    check("\"global_defs\" {\n\"router_id\" x\n}", "x", &[]);
    check("global_defs {\nrouter_id x vrrp_strict\n}", "x", &["extra-words"]);
}

#[test]
fn braces_that_are_missing_or_too_many() {
    check("global_defs\nrouter_id x\n}", "x", &["missing-open"]);
    check("global_defs {\nrouter_id x", "x", &["missing-close"]);
    check("global_defs {\nrouter_id x\n}\n}", "x", &["extra-close"]);
    check("global_defs {\n{\nrouter_id x\n}\n}", "x", &["unexpected-open"]);
    check("global_defs {\nvrrp_strict {\nprocess_names\n}\nrouter_id y\n}", "y", &["unexpected-open"]);
    check("global_defs", "", &["missing-open", "missing-close"]);
}

/// Better than keepalived, which reads the lines of an unknown block as part of the block around it.
#[test]
fn an_unknown_block_is_left_out_as_a_whole() {
    check("global_defs {\nfoo {\nrouter_id y\nbar {\nx\n}\n}\nrouter_id x\n}", "x", &["unknown-keyword"]);
}

#[test]
fn comments_and_quotes() {
    check("global_defs { # c }\nrouter_id x!y\n}", "x", &[]);
    check("global_defs {\nrouter_id 'a#b'\n}", "'a", &[]);
    check("global_defs {\nrouter_id \"a#b\"\n}", "a#b", &[]);
    check("global_defs {\nrouter_id a\\#b\\!c\n}", "a#b!c", &[]);
    check("global_defs {\nrouter_id \"a{b}\"\n}", "a{b}", &[]);
    check("global_defs {\nrouter_id \"a b\n}", "", &["unmatched-quote"]);
    check("global_defs {\nrouter_id abc \\\n}", "abc", &["extra-words"]);
}

#[test]
fn line_ends_and_odd_octets() {
    check("global_defs {\r\nrouter_id x\r\n}\r\n", "x", &[]);
    check("\u{feff}global_defs {\nrouter_id x\n}", "x", &["byte-order-mark"]);
    check("global_defs {\nrouter_id x\n\0\n}", "x", &["nul-octet"]);
    check(&format!("global_defs {{\nrouter_id x\n#{}\n}}", "x".repeat(2000)), "x", &[]);
    check(&format!("global_defs {{\nrouter_id x\n#{}\n}}", "x".repeat(70_000)), "x", &["line-too-long"]);
    check("global_defs {\n\tROUTER_ID x\x0b\n}", "", &["unknown-keyword"]);
}

#[test]
fn a_word_in_the_wrong_place_is_told_where_it_belongs() {
    let loaded = text("global_defs {\nvrrp_instance A {\nstate MASTER\n}\n}");
    assert_eq!(ids(&loaded.findings), ["unknown-keyword"]);
    assert_eq!(loaded.findings[0].message, "vrrp_instance does not belong in global_defs");
}

#[test]
fn a_missing_parameter_ends_with_2() {
    let loaded = text("global_defs {\nvrrp_version\nfoo\n}");
    assert_eq!((exit_status(&loaded.findings), fatal(&loaded.findings)), (2, true));
    assert_eq!(ids(&loaded.findings), ["missing-parameter", "unknown-keyword"]);
}

/// Seen with 2.2.7: some keywords look after this themselves.
#[test]
fn some_missing_values_are_not_fatal() {
    let loaded = text("global_defs {\nrouter_id\nvrrp_priority\nsmtp_helo_name\nvrrp_garp_extra_if all\n}");
    assert_eq!((exit_status(&loaded.findings), fatal(&loaded.findings)), (5, false));
    assert_eq!(ids(&loaded.findings), ["missing-value", "missing-value", "missing-ignored", "missing-value"]);
    assert_eq!(exit_status(&text("global_defs {\nsmtp_helo_name\n}").findings), 0);
}

#[test]
fn depth_is_bounded() {
    let loaded = text(&"a {\n".repeat(100_000));
    assert!(ids(&loaded.findings).contains(&"too-deep"));
    text(&"}".repeat(900));
}

#[test]
fn a_block_may_close_in_another_file() {
    let loaded = files(
        &[
            ("/etc/k/main.conf", "include d/*.conf\nrouter_id x\n}\n"),
            ("/etc/k/d/a.conf", "global_defs {\ninclude ../b.inc\n"),
            ("/etc/k/b.inc", "vrrp_version 3\n"),
        ],
        &AnyInterface,
    );
    assert_eq!(ids(&loaded.findings), NONE);
    assert_eq!((loaded.config.global.router_id.as_deref(), loaded.files().len()), (Some("x"), 3));
}

#[test]
fn includes_are_read_in_value_blocks_too() {
    let main = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\ninclude vips\n}\n}";
    let loaded = files(&[("/k/main", main), ("/k/vips", "10.0.0.1\n10.0.0.2")], &AnyInterface);
    assert_eq!(loaded.config.instances[0].addresses.len(), 2);
}

#[test]
fn a_cycle_is_found() {
    let loaded = files(&[("/k/a", "include b\n"), ("/k/b", "include a\ninclude b\n")], &AnyInterface);
    assert_eq!(ids(&loaded.findings), ["include-cycle", "include-cycle"]);
}

#[test]
fn includes_that_double_at_every_level_end() {
    let mut source = MemorySource::default();
    for level in 0..40 {
        let next = format!("include {}\n", level + 1).repeat(2);
        source = source.with(&format!("/k/{level}"), next);
    }
    let loaded = load(&source, Path::new("/k/0"), &AnyInterface);
    assert!(ids(&loaded.findings).contains(&"include-limit"));
}

/// Counts what it is asked for.
struct Counting {
    files: MemorySource,
    reads: Cell<usize>,
    globs: Cell<usize>,
}

impl Source for Counting {
    fn read(&self, path: &Path) -> Result<Vec<u8>, SourceError> {
        self.reads.set(self.reads.get() + 1);
        self.files.read(path)
    }

    fn glob(&self, pattern: &str, base: &Path) -> Vec<PathBuf> {
        self.globs.set(self.globs.get() + 1);
        self.files.glob(pattern, base)
    }
}

/// Loads four files of `text` each, 9.7 kB in all, and gives what was asked of the source.
fn bomb(text: [&str; 4]) -> (Loaded, usize, usize) {
    let fill = |line: &str| format!("{line}\n").repeat(2_425 / (line.len() + 1));
    let files = text.into_iter().zip(["/k/0", "/k/1", "/k/2", "/k/3"]);
    let files = files.fold(MemorySource::default(), |source, (line, path)| source.with(path, fill(line)));
    let source = Counting { files, reads: Cell::new(0), globs: Cell::new(0) };
    let loaded = load(&source, Path::new("/k/0"), &AnyInterface);
    (loaded, source.reads.get(), source.globs.get())
}

#[test]
fn an_include_bomb_is_bounded() {
    let all = "include {0,1,2,3}\ninclude *\nfoo";
    let wide = format!("include {}", "{0,}".repeat(12));
    let chain = |last| ["include 1", "include 2", "include 3", last];
    for text in [
        chain("include 0"),
        chain("a {\n}\n}\n{\n\"\ninterface"),
        chain("global_defs {\nvrrp_version 9\n}\n$A=${B}\n$B=${A}\n${A}"),
        chain("includea x\ninclude y\ninclude /k/*x"),
        chain("vrrp_instance A {\npriority 300\n}\nvrrp_sync_group A {\ngroup {\nB\n}\n}"),
        [all; 4],
        [wide.as_str(); 4],
    ] {
        let (loaded, reads, globs) = bomb(text);
        let counts = (loaded.findings.len(), reads, globs);
        assert!(counts.0 <= 1_100 && counts.1 <= 4_097 && counts.2 <= 16_385, "{counts:?} of {text:?}");
        assert!(loaded.files().iter().map(|(_, file)| file.bytes.len()).sum::<usize>() <= 64 << 20);
    }
    // five million statements, if there were no end
    let (loaded, ..) = bomb(chain("x"));
    assert_eq!(ids(&loaded.findings).into_iter().filter(|id| *id == "too-large").count(), 1);
    assert!(fatal(&loaded.findings));
}

/// What has no room decides all the same.
#[test]
fn findings_without_end_are_counted() {
    let loaded = load(
        &MemorySource::one(
            "/k",
            "foo\n".repeat(5_000) + "global_defs {\nvrrp_version\n}\nglobal_defs {\nvrrp_version\n}\n",
        ),
        Path::new("/k"),
        &AnyInterface,
    );
    let last = loaded.findings.last().unwrap();
    assert_eq!((last.rule.id, last.message.as_str()), ("more-findings", "there are 4001 more findings"));
    assert_eq!((loaded.findings.len(), exit_status(&loaded.findings), fatal(&loaded.findings)), (1_003, 2, true));
    let all = load(&MemorySource::one("/k", "foo\n".repeat(1_000)), Path::new("/k"), &AnyInterface);
    assert_eq!(ids(&all.findings), ["unknown-keyword"; 1_000]);
}

/// To look for what was perhaps meant takes time: of a file of a million wrong lines it is done for the first ones.
#[test]
fn suggestions_are_bounded() {
    let suggested = |text: &str| {
        let loaded = load(&MemorySource::one("/k", text), Path::new("/k"), &AnyInterface);
        loaded.findings.iter().filter(|finding| finding.help.as_ref().is_some_and(|help| help.contains("mean"))).count()
    };
    let inside = |block: &str, line: &str| {
        let lines = format!(" {line}\n").repeat(900);
        format!("vrrp_instance a {{\n interface lo\n virtual_router_id 5\n {block} {{\n{lines} }}\n}}\n")
    };
    for text in [
        "vrrp_instnace a\n".repeat(900),
        inside("virtual_routes", "192.0.2.0/24 vai"),
        inside("virtual_rules", "from 192.0.2.0/24 tabel"),
    ] {
        let count = suggested(&text);
        assert!((1..=200).contains(&count), "{count}: {}", text.get(..200).unwrap_or(&text));
    }
    let group = |number: u32| {
        format!("virtual_server_group g{number} {{\n 10.0.0.1 80\n}}\nvirtual_server group f{number} {{\n}}\n")
    };
    let count = suggested(&(10_000..20_000).map(group).collect::<String>());
    assert!((1..=20).contains(&count), "{count} names were compared with 10,000 others");
}

/// Two definitions that name each other cost a thousand substitutions each time.
#[test]
fn substitutions_are_bounded_for_all_lines_together() {
    let source = MemorySource::one("/k", "$A=${B}\n$B=${A}\n".to_owned() + &"${A}\n".repeat(9_000) + "foo\n");
    let loaded = load(&source, Path::new("/k"), &AnyInterface);
    let limited = ids(&loaded.findings).iter().filter(|id| **id == "substitution-limit").count();
    assert!((1..2_200).contains(&limited), "{limited}");
    assert!(ids(&loaded.findings).contains(&"unknown-keyword"));
}

/// syntax.md section 12: which word makes which failure an error.
#[test]
fn what_an_include_demands() {
    let status = |line: &str| {
        let source = MemorySource::one("/k/main", format!("{line}\n"))
            .with("/k/good", "")
            .with_error("/k/bad", SourceError::Executable);
        let loaded: Loaded = load(&source, Path::new("/k/main"), &AnyInterface);
        exit_status(&loaded.findings)
    };
    let words = ["include", "includer", "includem", "includew", "includeb", "includea"];
    let row = |argument: &str| words.map(|word| status(&format!("{word} {argument}")));
    assert_eq!(row("good"), [0; 6]);
    assert_eq!(row("bad"), [0, 6, 6, 6, 6, 6]);
    assert_eq!(row("missing"), [0, 0, 6, 6, 0, 6]);
    assert_eq!(row("missing*"), [0, 0, 0, 6, 0, 6]);
    assert_eq!(row("{good,missing}"), [0, 0, 0, 0, 6, 6]);
    assert_eq!(status("global_defs { include_check match }\ninclude missing"), 6);
    assert_eq!(status("global_defs { include_check }\nglobal_defs { include_check -match }\ninclude missing"), 0);
}

#[test]
fn a_missing_file_is_fatal() {
    let loaded = load(&MemorySource::default(), Path::new("/k"), &AnyInterface);
    assert_eq!((exit_status(&loaded.findings), fatal(&loaded.findings)), (4, true));
    let two = MemorySource::one("/k/a", "").with("/k/b", "");
    let loaded = load(&two, Path::new("/k/*"), &AnyInterface);
    assert_eq!((ids(&loaded.findings), exit_status(&loaded.findings)), (vec!["multiple-files"], 5));
}

fn with_id(id: &str, text: &str) -> (String, Vec<&'static str>) {
    let options = Options { config_id: id.to_owned(), ..Options::default() };
    let source = MemorySource::one("/k", format!("global_defs {{\n{text}\n}}"));
    let loaded = load_with(&source, Path::new("/k"), &AnyInterface, &options);
    (loaded.config.global.router_id.unwrap_or_default(), ids(&loaded.findings))
}

#[test]
fn conditions_choose_lines() {
    let check = |text, expected: &str| assert_eq!(with_id("one", text), (expected.to_owned(), vec![]), "{text}");
    check("@one router_id x", "x");
    check("@two router_id x", "");
    check("@^two router_id x", "x");
    check("@^one router_id x", "");
    check("@ one router_id x", "");
    check("@one", "");
    check("@one $A=x\nrouter_id ${A}", "x");
    check("router_id ${_INSTANCE}", "one");
}

#[test]
fn definitions_are_put_in() {
    let check = |text, expected: &str| assert_eq!(with_id("", text), (expected.to_owned(), vec![]), "{text}");
    check("$A=x\nrouter_id $A", "x");
    check("$A=  x y  \nrouter_id \"${A}\"", "x y");
    check("$A=x${B}\n$B=1\n$B=2\nrouter_id ${A}", "x2");
    check("$A=x\nrouter_id $A.x", "$A.x");
    check("$A=x\nrouter_id \"$A\"", "$A");
    check("$A=x\nrouter_id \"$A b\"", "x b");
    check("$A=router_id x\n$A", "x");
    check("$A=x\\#y\nrouter_id $A", "x");
    check("$A=\"x#y\"\nrouter_id $A", "x#y");
    check("router_id \"a${_HASH}b\"", "a#b");
    check("router_id a${_HASH}b", "a");
    check("router_id ${_PWD}", "/");
}

#[test]
fn definitions_that_go_wrong() {
    assert_eq!(with_id("", "$A=${A}2\nrouter_id ${A}").1, ["substitution-limit"]);
    assert_eq!(with_id("", "router_id ${FOO}").1, ["undefined-name"]);
    assert_eq!(with_id("", "$A =x").1, ["unknown-keyword"]);
}

#[test]
fn positions_survive_definitions() {
    let source = MemorySource::one("/k", "$P=300\nvrrp_instance A {\n    priority $P\n}\n");
    let loaded = load(&source, Path::new("/k"), &AnyInterface);
    let finding = loaded.findings.iter().find(|finding| finding.rule.id == "number-range").unwrap();
    let at = loaded.files().position(finding.primary.as_ref().unwrap().span);
    assert_eq!((at.line, at.column), (3, 14));
}

/// The change would take the definition's use away.
#[test]
fn what_a_definition_brings_is_not_mended_where_it_is_used() {
    let fixes =
        |configuration: &str| text(configuration).findings.iter().filter(|finding| finding.fix.is_some()).count();
    assert_eq!(fixes("global_defs {\nrouter_idd x\n}"), 1);
    assert_eq!(fixes("$M= \\\nglobal_defs { \\\nrouter_idd x \\\n}\n$M"), 0);
    assert_eq!(fixes("global_defs {\n~LST(A, d) router_id${A} x\n}"), 0);
}

#[test]
fn the_tree_holds_every_statement() {
    let source = MemorySource::one("/k", "a b {\nc { d }\n}\ne\n");
    let parsed = parse(&source, Path::new("/k"), &Options::default());
    let roots: Vec<_> = parsed.tree.roots().map(|node| node.name().into_owned()).collect();
    assert_eq!(roots, ["a", "e"]);
    assert_eq!(parsed.tree.statements().count(), 4);
}

/// Words of keepalived's first years that old guides still print.
#[test]
fn an_obsolete_word_gets_advice() {
    for word in ["nat_mask", "net_mask"] {
        let service = format!(
            "virtual_server 10.0.0.1 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\n{word} 255.255.255.0\nreal_server 10.0.1.1 80 {{\n}}\n}}"
        );
        let loaded = text(&service);
        let found = loaded.findings.iter().find(|finding| finding.rule.id == "obsolete").unwrap();
        let shown = render(found, loaded.files());
        assert!(shown.contains(word) && shown.contains("persistence_granularity groups clients by network"), "{shown}");
    }
}
