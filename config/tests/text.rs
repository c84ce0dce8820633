//! The language of keepalived.conf before it means anything. Expected values: the lines marked U in sections 4, 6, 9,
//! 10, 11 and 12 of the description of keepalived's language, seen with 2.4.3; "2.2.7" where only that one was watched.

use std::path::Path;

use keepalived_config::syntax::{Parsed, expand, parse};
use keepalived_config::{MemorySource, Options, exit_status};

fn options() -> Options {
    Options { config_id: "id".to_owned(), ..Options::default() }
}

fn read(text: &str) -> Parsed {
    let source = MemorySource::one("/k/main", text)
        .with("/k/inc", "included\n")
        .with("/k/dir/a.inc", "in_a\n")
        .with("/k/dir/b.inc", "in_b ${_PWD}\n")
        .with("/k/open", "opened {\n")
        .with_variable("HOME", "/root");
    parse(&source, Path::new("/k/main"), &options())
}

/// The statements of `text`, words joined by blanks, with the findings about the text.
fn statements(text: &str) -> (Vec<String>, Vec<&'static str>) {
    let parsed = read(text);
    let words = parsed.tree.statements().map(|node| {
        let words: Vec<_> = node.words().map(|word| word.str().into_owned()).collect();
        words.join(" ")
    });
    let statements = words.collect();
    let findings = parsed.findings.sorted();
    assert!(findings.iter().all(|finding| finding.primary.is_some()), "{text}");
    (statements, findings.iter().map(|finding| finding.rule.id).collect())
}

/// `expected` has a statement on each line.
fn check(text: &str, expected: &str) {
    check_found(text, expected, &[]);
}

fn check_found(text: &str, expected: &str, findings: &[&str]) {
    let (statements, ids) = statements(text);
    let expected: Vec<&str> = expected.split('|').filter(|statement| !statement.is_empty()).collect();
    assert_eq!((statements, ids), (expected.into_iter().map(str::to_owned).collect(), findings.to_vec()), "{text}");
}

/// `text` is refused with one finding, and says nothing.
fn refused(text: &str, rule: &str) {
    check_found(text, "", &[rule]);
}

#[test]
fn section_4_comments() {
    check("r 'a#b'", "r 'a");
    check("r \"a\\#b\"", "r a\\#b");
    check("r a\\\\#b", "r a\\\\");
    check("r a\\#b\\!c", "r a#b!c");
    check("$A=x\\#y\nr $A", "r x");
    check("$A=x\\#y\nr \"${A}\"", "r x#y");
    check("$A=\"x#y\"\nr $A", "r x#y");
    check("r \"a${_HASH}b${_BANG}\"", "r a#b!");
    check("r a${_HASH}b", "r a");
}

#[test]
fn section_6_words() {
    check("ab\"c d\"e", "ab c d e");
    check("a \"\" b", "a  b");
    check("a\tb\x0cc\x0bd", "a b c d");
    check_found("a \"b c", "a", &["unmatched-quote"]);
    check("'a b'", "'a b'");
}

#[test]
fn section_6_commands() {
    let script = |line: &str, words: &[&str], findings: &[&str]| {
        let parsed = read(&format!("vrrp_script a {{\n{line}\n}}\nend"));
        let all: Vec<_> = parsed.tree.statements().collect();
        let seen: Vec<_> = all[1].words().map(|word| word.str().into_owned()).collect();
        assert_eq!(seen, if words.is_empty() { &["end"] } else { words }, "{line}");
        let ids: Vec<_> = parsed.findings.sorted().iter().map(|finding| finding.rule.id).collect();
        assert_eq!(ids, findings, "{line}");
    };
    script("script \"/p/s arg 'a b'\" user group", &["script", "/p/s arg 'a b'", "user", "group"], &[]);
    script("script '/p/s \"a b\"'\" c\"'d' :g", &["script", "/p/s \"a b\" cd", ":g"], &[]);
    script("script /p/s\\ b \\'c", &["script", "/p/s\\ b", "\\'c"], &[]);
    script("script \"/p/s ${FOO}\"", &["script", "/p/s ${FOO}"], &[]);
    script("$A=x y\nscript '${A}'", &["script", "x y"], &[]);
    // 2.2.7: braces and comments are looked for before, and single quotes are nothing to them
    script("script '/p/s # b'", &[], &["unmatched-quote"]);
    script("script '/p/s \"q { # \" '", &["script", "/p/s \"q { # \" "], &[]);
    script("script \"/p/s { # ' b\"", &["script", "/p/s { # ' b"], &[]);
    script("script \"/p/s'", &[], &["unmatched-quote"]);
    script("script '/p/s", &[], &["unmatched-quote"]);
    script("script \"/p/s \\\" b\"", &["script", "/p/s \\\" b"], &["unmatched-quote"]);
    script("interval 'a b'", &["interval", "'a", "b'"], &[]);
}

#[test]
fn section_9_conditions() {
    check("@id a\n@no b\n@^id c\n@^no d", "a|d");
    check("@ id a\n@id\n@ID b\n@ida c", "");
    check("$X=id\n@${X} a", "");
    check("@id $A=1\n@no $A=2\nr $A", "r 1");
    check("@id ~SEQ(A, 1, 2) a${A}", "a1|a2");
    check("~SEQ(A, 1, 2) @id a${A}\n~SEQ(A, 1, 2) @no b${A}", "a1|a2");
    check("@id include inc\n@no include nothing", "included");
    check("foo\n@id {\nb\n@id }\n@no }\nc", "foo|b|c");
    // a second one is a word
    check("@id @id a", "@id a");
    // 2.2.7: what a definition brings is a condition again
    check("$IF=@id\n$IF a\n$NO=@no\n$NO b", "a");
    check("$B=@id @id\n$B a", "@id a");
    // 2.2.7: what follows a brace is a line of its own
    check("foo { @no b\n}\nfoo { @id c }", "foo|foo|c");
}

#[test]
fn section_10_definitions() {
    check("$A =x", "$A =x");
    check("$1A=x", "$1A=x");
    check("$A=\nr ${A}x", "r x");
    check("$A=x\n$A=y\nr $A", "r y");
    check("$A=1\nr $A.x $A-x \"$A\" \"$A b\" '$A' '${A}'", "r $A.x $A-x $A 1 b '$A' '1'");
    check("$A=1\nr ($A) $A,b $A", "r (1) 1,b 1");
    check("r $_PWD ${_PWD}", "r /k /k");
    check("$_PWD=x\n$_HASH=y\n$_INSTANCE=z\nr $_PWD ${_HASH} ${_INSTANCE}", "r x y z");
    check("$A=x${B}\n$B=1\n$B=2\nr ${A}", "r x2");
    refused("$A=${A}2\nr ${A}", "substitution-limit");
    refused("$N=A\n$A=1\nr ${${N}}", "undefined-name");
    check("$A=foo bar\nr $A\nr \"${A}\"", "r foo bar|r foo bar");
    assert_eq!(read("$A=foo bar\nr \"${A}\"").tree.roots().next().map(|node| node.words().len()), Some(2));
    check("$A=@id x\n$A", "x");
    check_found("$A=a\"b\nr $A c\"", "r a b c", &["unmatched-quote"]);
    // undefined: stays in double quotes
    check("r \"${X}\" \"a $X\"", "r ${X} a $X");
    refused("r ${X}", "undefined-name");
    refused("r ${A }", "undefined-name");
    refused("r 'a${X}b'", "undefined-name");
    check_found("foo {\nr ${X} }\nb", "foo|b", &["undefined-name"]);
    check_found("foo a${X} {\nr\n}\nb", "foo a${X}|r|b", &["undefined-name"]);
}

#[test]
fn section_10_several_lines() {
    check("$M= \\\n a \\\n b\n$M", "a|b");
    check("$M=a \\\n b\n${M}", "a|b");
    check("$M=a\\\nb\\\nc\n${M}", "a|b|c");
    check("$M= \\\na \\\n\nb\n$M", "b|a");
    check("$M= \\\na # c \\\nb\n$M", "b|a");
    check("$M= \\\na \\\n  \\\n b\n$M", "a|b");
    check("$M= \\\nx \\\ny\nfoo $M", "foo x|y");
    check("foo {\n$M= \\\nx { \\\ny \\\n}\n$M\n}\nz", "foo|x|y|z");
    // nested, the inner one on any line
    check("$N= \\\n1 \\\n2\n$M= \\\n$N \\\na$N \\\nb\n$M", "1|2|a1|2|b");
    check("$N= \\\n1 \\\n2\n$M=x \\\n${N}\n$M\n$M", "x|1|2|x|1|2");
    // definitions, conditions, sequences inside; 2.2.7: on the first line too
    check("$M= \\\n$Q=q \\\na${Q} \\\n@no b \\\n@id c \\\n~SEQ(I, 1, 2) d${I}\n$M\n${Q}", "aq|c|d1|d2|q");
    check("$M= \\\n~SEQ(I, 1, 2) d${I} \\\ne\n$M", "d1|d2|e");
    check("$M= \\\n@no b \\\ne\n$M", "e");
    check("$M= \\\n$Q= \\ \\\nq1 \\ \\\nq2\n$M\n$Q", "q1|q2");
    check("$M= \\\na \\\ninclude inc \\\nb\n$M", "a|included|b");
    check("$M= \\\ninclude inc \\\nb\n$M", "included|b");
    refused("$M= \\\na \\\nb\n${M} c", "lines-not-last");
    refused("$M= \\\na \\\nb\nr \"${M}\"", "lines-not-last");
    check("$I=1\n$M= \\\nv${I} { \\\nw${I} \\\n}\n$M\n$I=2\n$M", "v1|w1|v2|w2");
    check_found("$M= \\\na \\\n${M}\n$M\nb", "a|b", &["substitution-limit"]);
    check_found("$M= \\\n${M} \\\na\n$M\nb", "b", &["substitution-limit"]);
    check_found("$M= \\\na \\\n${N}\n$N= \\\nb \\\n~SEQ(I, 1, 9) $M\n$M\nc", "a|b|c", &["substitution-limit"]);
}

#[test]
fn section_10_environment() {
    check("r ${_ENV HOME} \"${_ENV HOME}\" x${_ENV NOTHING}y", "r /root /root xy");
    refused("r ${_ENV HOME }", "undefined-name");
    refused("r ${_ENV}", "undefined-name");
    check("$_ENV=x\nr ${_ENV}", "r x");
}

#[test]
fn section_10_random() {
    let number = |text: &str| statements(text).0[0].parse::<u32>().unwrap();
    assert_eq!((number("${_RANDOM 5 5}"), number("${_RANDOM 7 7}")), (5, 7));
    for _ in 0..100 {
        assert!((3..=9).contains(&number("${_RANDOM 3 9}")));
        assert!((32_000..=32_767).contains(&number("${_RANDOM 32000}")));
        assert!(number("$_RANDOM") <= 32_767);
    }
    check_found("r ${_RANDOM 9 5}", "r 9", &["random-range"]);
    let seeded = |seed| statements(&format!("global_defs {{\nrandom_seed {seed}\n}}\n{}", "${_RANDOM}\n".repeat(5))).0;
    assert_eq!(seeded(5)[2..], seeded(5)[2..]);
    assert_ne!(seeded(5)[2..], seeded(6)[2..]);
    let with = |seed| {
        let parsed = parse(&MemorySource::one("/k", "${_RANDOM}"), Path::new("/k"), &Options { seed, ..options() });
        parsed.tree.roots().map(|node| node.name().into_owned()).collect::<String>()
    };
    assert!(with(1) == with(1) && with(1) != with(2));
}

#[test]
fn section_11_numbers() {
    check("~SEQ(A, 1, 2, 5) a${A}", "a1|a3|a5");
    check("~SEQ(A, 3, 5) a${A}", "a3|a4|a5");
    check("~SEQ(A, 3, 1) a${A}", "a3|a2|a1");
    check("~SEQ(A, 3) a${A}", "a1|a2|a3");
    check("~SEQ(A, -3) a${A}", "a-1|a-2|a-3");
    check("~SEQ(A, 0) a${A}", "a1|a0");
    check("~SEQ(A, 5, -2, 1) a${A}", "a5|a3|a1");
    check("~SEQx(A, 9, 11) a${A}", "a9|aa|ab");
    check("~SEQ(A, 0x8, 0xa) a${A}", "a8|a9|a10");
    check("~SEQ(A, 07, 011) a${A}", "a7|a8|a9");
    check("$X=2\n~SEQ(A, 1, $X) a$A,", "a1,|a2,");
    check("$X=2\n~SEQ(A, 1, ${X}) a$A,", "a1,|a2,");
    check("~SEQ (A,1,3)a${A}", "a1|a2|a3");
    check("@id ~SEQ(A, 1, 2) a${A}", "a1|a2");
    check("~SEQ(A, 1, 2) @id a${A}", "a1|a2");
    check("~SEQ(A, 1, 2) $Q=${A}\nr $Q $A", "r 2 2");
    check("~SEQ(A, 1, 2) ~SEQ(B, 3, 4) a${A}b${B}", "a1b3|a1b4|a2b3|a2b4");
    check("~SEQ(A, 1, 2) ~SEQ(B, 1, ${A}) a${A}b${B}", "a1b1|a2b1|a2b2");
    check("$M= \\\nm${A} \\\nn${A}\n~SEQ(A, 1, 2) $M", "m1|n1|m2|n2");
    check("~SEQ(A, 1, 2)\nb", "b");
    check("~SEQ(A, 1, 2) v${A} { w${A} }\nx", "v1|w1|v2|w2|x");
    check("foo { ~SEQ(A, 1, 2) a${A}\n}\nx", "foo|a1|a2|x");
}

#[test]
fn section_11_lists() {
    check("~LST(A, x, y) ~SEQ(B, 1, 2) ${A}${B}", "x1|x2|y1|y2");
    check("~LST(A, a, b) include dir/${A}.inc", "in_a|in_b /k/dir");
    check("~LST(A, x,, z) a${A}", "ax|a|az");
    check("~LST({A, B}, {a1}, {,b2}) ${A}-${B}", "a1-|-b2");
    check("~LST({A}, x, y) a${A}", "ax|ay");
    check("~LST({A, B}, p, q) ${A}-${B}", "p-|q-");
    check("$X=1\n~LST(A, $X, z) a${A}", "a1|az");
    check("~LST(A, \"x\", y) a ${A}", "a x|a y");
}

#[test]
fn section_11_refusals() {
    for line in [
        "~LST(A, ${X}, z) a",
        "~LST(A, ${L}) a",
        "~LST(A, x y) a",
        "~LST(A) a",
        "~LST({A, B}, {1, 2, 3}) a",
        "~SEQ(A, 1, 0, 3) a",
        "~SEQ(A, 1, -1, 3) a",
        "~SEQ(A, x, 2) a",
        "~SEQ(A, 1, 2, 3, 4, 5) a",
        "~SEQ(A, 1, 2 a",
        "~SEQx(A, -1, 2) a",
        "~SEQ(A, 1, 1000000000) a",
    ] {
        refused(line, "sequence-invalid");
    }
    // the inner one is said once, not in each turn
    refused("~SEQ(A, 1, 9) ~SEQ(B, x, 2) a", "sequence-invalid");
    // passed on
    check("~seq(A, 1, 2) a\nb ~SEQ(A, 1, 2)", "~seq(A, 1, 2) a|b ~SEQ(A, 1, 2)");
    // 2.2.7; an error in 2.4.3
    check("$S=~SEQ(A, 1, 2) a${A}\n$S", "a1|a2");
}

#[test]
fn section_12_includes() {
    check("foo {\ninclude inc\nbar {\ninclude inc\n}\n}", "foo|included|bar|included");
    check("include open\nb\n}\nc", "opened|b|c");
    check_found("include \"inc\"", "", &["include-skipped"]);
    check("include inc # comment", "included");
    check("include dir/*.inc", "in_a|in_b /k/dir");
    check("include dir/{b,a}.inc", "in_b /k/dir|in_a");
    check("include\ninclude2 inc", "include|include2 inc");
    check("$F=inc\ninclude $F\n$W=include\n$W inc", "included|included");
    // 2.2.7: after a brace too
    check("foo { include inc\n}", "foo|included");
}

#[test]
fn section_12_include_check() {
    let status = |text: &str| {
        let source = MemorySource::one("/k/main", text)
            .with("/k/sub", "global_defs {\ninclude_check\n}\n")
            .with_error("/k/bad", keepalived_config::SourceError::Executable);
        exit_status(&parse(&source, Path::new("/k/main"), &options()).findings.sorted())
    };
    let checked = |words: &str, line: &str| status(&format!("global_defs {{\ninclude_check {words}\n}}\n{line}\n"));
    assert_eq!((checked("match", "include missing"), checked("match", "include bad")), (6, 6));
    assert_eq!((checked("+match", "include missing"), checked("+match", "include bad")), (6, 0));
    assert_eq!((checked("", "include *.x"), checked("-wildcard_match", "include *.x")), (6, 0));
    assert_eq!((checked("", "include {x,y}"), checked("brace_match", "include {x,y}")), (6, 6));
    assert_eq!(checked("match read", ""), 5);
    assert_eq!(checked("match +nonsense", ""), 5);
    // what a file demands ends with it
    assert_eq!((status("include sub\ninclude missing"), status("include sub")), (0, 0));
}

#[test]
fn what_counts_can_be_written_out() {
    let text = "# c\n$M= \\\nv${I} { \\\n@no w \\\nx\\#y \"z }\" # \\\n}\n\n~SEQ(I, 1, 2) $M\n}\n@id a{b }\n@no c\ninclude dir/b.inc\nr ${X}\n";
    let source = MemorySource::one("/k/main", text).with("/k/dir/b.inc", "in_b\n");
    let expanded = expand(&source, Path::new("/k/main"), &options());
    let shown = String::from_utf8(expanded.text()).unwrap();
    assert_eq!(
        shown,
        "}\nv1 {\n    x#y \"z }\"\n    v2 {\n        x#y \"z }\"\n    }\n    a {\n        b\n    }\n    in_b\n"
    );
}

/// One finding each, soon, and the text goes on.
#[test]
fn what_grows_without_end_is_stopped() {
    let doubling: String = (0..40).map(|n| format!("$A{}= \\\n${{A{n}}} \\\n${{A{n}}}\n", n + 1)).collect::<String>();
    let wide: String = (0..40).map(|n| format!("$A{}=${{A{n}}}${{A{n}}}\n", n + 1)).collect();
    let many = "~SEQ(A, 1, 200000) ".repeat(6);
    for text in [
        format!("$A0=x\n{doubling}${{A40}}\nend"),
        format!("$A0=x\n{wide}${{A40}}\nend"),
        format!("$A0=\n{wide}${{A40}}\nend"),
        format!("{many}x\nend"),
        format!("{many}@no x\nend"),
        format!("{many}$Q=${{A}}\nend"),
        format!("{many}\nend"),
        format!("{many}include inc\nend"),
        format!("$X={}\n{}end", "x".repeat(60_000), "$Y=${X}\n".repeat(100)),
        format!("$X={}\n{}end", "x ".repeat(30_000), "${X}\n".repeat(20_000)),
        format!("$X=~SEQ(A, 1, 100000) $X\n{}end", "$X\n".repeat(100)),
        "~SEQ(A, ${A}, 2) x\n$A=${A}${A}\n~SEQ(B, ${A}) x\nend".to_owned(),
        "$X=${X}\n~SEQ(A, ${X}, 2) x\n$E=end\n${E}".to_owned(),
    ] {
        let start = std::time::Instant::now();
        let parsed = read(&text);
        let last = parsed.tree.statements().last().map(|node| node.name().into_owned());
        println!("{:?} {} statements: {:.60}", start.elapsed(), parsed.tree.len(), text.escape_debug().to_string());
        assert!(
            last.as_deref() == Some("end")
                || parsed.findings.clone().sorted().iter().any(|finding| finding.rule.id == "too-large"),
            "{:.60} {last:?}",
            text
        );
        let findings = parsed.findings.sorted();
        assert!(findings.len() < 110, "{:.60}", text);
    }
}
