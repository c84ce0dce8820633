//! Holds the documents to the code: README, ARCHITECTURE, CONTRIBUTING, CHANGELOG, docs/conformance.md, docs/differences.md.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/conformance.md", "docs/differences.md"];

/// Crates that ship, by folder.
const CRATES: [&str; 8] = ["core", "config", "state", "kernel", "checks", "surface", "daemon", "cli"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below `folder`, by its path from the root, and its text.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root().join(&folder)) else { continue };
        for entry in entries {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(path.display().to_string(), read(&path));
            }
        }
    }
    found
}

/// Lines with their numbers, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or(line)))
}

/// Whether `word` stands in `line` by itself.
fn has_word(line: &str, word: &str) -> bool {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(part) && !line[at + word.len()..].chars().next().is_some_and(part)
    })
}

/// The text between backticks, piece by piece.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn only_what_runs_is_a_test() {
    let text = "#[test]\n// why\nfn alone() {}\nfn helper() { let is = 1; } // helper\nfn part<W>(w: W) {}\nfn suite() {\npart(1);\n}\nrow: 1;";
    for (name, expected) in [("alone", true), ("part", true), ("row", true), ("helper", false), ("none", false)] {
        assert_eq!(has_test(text, name), expected, "{name}");
    }
}

/// The text of a file, or of all sources of a folder.
fn text_of(place: &str) -> String {
    match place.strip_suffix('/') {
        Some(folder) => sources(folder).into_values().collect(),
        None => read(place),
    }
}

/// Files and folders by the names that the documents have for them: the table in docs/conformance.md.
fn places() -> BTreeMap<String, String> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split("` | ");
        let (place, file) = (cells.next()?, cells.next()?.strip_suffix(" |")?);
        (file.ends_with(".rs") || file.ends_with('/')).then(|| (place.to_owned(), file.to_owned()))
    };
    let places: BTreeMap<_, _> = read("docs/conformance.md").lines().filter_map(row).collect();
    assert!(places.len() > 10, "the table of places was not found");
    places
}

/// `place::name` of every test that the documents name.
fn named(places: &BTreeMap<String, String>) -> BTreeSet<(String, String)> {
    let mut named = BTreeSet::new();
    for document in DOCUMENTS {
        for quote in quoted(&read(document)) {
            if let Some((place, name)) = quote.split_once("::")
                && places.contains_key(place)
            {
                named.insert((place.to_owned(), name.to_owned()));
            }
        }
    }
    named
}

/// Whether the text of one file has a test of this name: with its attribute, as a row that a macro makes tests of, or as a part of a
/// suite that another function of the file calls.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let definition = line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name));
        if definition.is_some_and(|rest| rest.starts_with(['(', '<'])) {
            let above = lines[..at]
                .iter()
                .rev()
                .find(|line| !line.starts_with("//") && !line.starts_with("#[ignore = \"needs IPVS"));
            let is_call = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('('));
            return above == Some(&"#[test]") || lines.iter().any(is_call);
        }
        line.starts_with(&format!("{name}: ")) && line.ends_with(';')
    })
}

#[test]
fn tests_that_are_named_exist() {
    let places = places();
    let named = named(&places);
    assert!(named.len() > 100, "only {} tests are named", named.len());
    let texts: BTreeMap<&str, String> = places.iter().map(|(place, file)| (place.as_str(), text_of(file))).collect();
    let missing: Vec<String> = named
        .iter()
        .filter(|(place, name)| !has_test(&texts[place.as_str()], name))
        .map(|(place, name)| format!("{place}::{name} is not in {}", places[place]))
        .collect();
    assert!(missing.is_empty(), "the documents name tests that are not there:\n{}", missing.join("\n"));
}

/// docs/open.md has more tests than conformance.md has places: there a test is named by its file or the folder of its file.
#[test]
fn tests_that_hold_mended_faults_exist() {
    let places = places();
    let mut files: BTreeMap<String, String> = sources("tests");
    files.extend(CRATES.into_iter().flat_map(sources));
    let is_of = |path: &str, place: &str| {
        let folder = Path::new(path).parent().and_then(Path::file_stem).is_some_and(|folder| folder == place);
        folder || Path::new(path).file_stem().is_some_and(|stem| stem == place)
    };
    let page = read("docs/open.md");
    let tests = quoted(&page).filter_map(|quote| quote.split_once("::")).filter(|(_, name)| *name != "…");
    let tests: Vec<(&str, &str)> = tests.collect();
    assert!(tests.len() > 100, "only {} tests are named", tests.len());
    let is_there = |(place, name): &&(&str, &str)| {
        let folder = places.get(*place).map_or("-", String::as_str);
        files.iter().any(|(path, text)| (is_of(path, place) || path.starts_with(folder)) && has_test(text, name))
    };
    let missing: Vec<_> = tests.iter().filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "docs/open.md names tests that are not there: {missing:?}");
}

#[test]
fn every_effective_keyword_is_shown() {
    let places = places();
    let texts: BTreeMap<&str, String> = places.iter().map(|(place, file)| (place.as_str(), text_of(file))).collect();
    let mut wrong = Vec::new();
    for row in keepalived_config::keywords::all() {
        let exists = row.shown_by.map(|shown| match shown.split_once("::") {
            Some((place, name)) => texts.get(place).is_some_and(|text| has_test(text, name)),
            None => false,
        });
        match (row.is_effective(), exists) {
            (true, Some(true)) | (false, None) => {}
            (true, None) if matches!(row.status, keepalived_config::keywords::Status::Idle { .. }) => {}
            (true, None) => wrong.push(format!("{} {}: nothing shows it", row.block, row.name)),
            (_, Some(false)) => wrong.push(format!("{} {}: there is no {:?}", row.block, row.name, row.shown_by)),
            (false, Some(true)) => wrong.push(format!("{} {}: shown, but not effective", row.block, row.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_for_requirements_are_named() {
    let places = places();
    let named = named(&places);
    let mut missing = Vec::new();
    for (place, file) in places {
        let text = text_of(&file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("// spec: rfc")) {
            let is_function = |line: &&&str| line.starts_with("fn ");
            let is_above = lines[at..].iter().take(4).any(|line| *line == "#[test]");
            let function = if is_above {
                lines[at..].iter().find(is_function)
            } else {
                lines[..at].iter().rev().find(is_function)
            };
            let name = function.and_then(|line| line["fn ".len()..].split(['(', '<']).next()).unwrap_or_default();
            if !named.contains(&(place.clone(), name.to_owned())) {
                missing.push(format!("{place}::{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "tests for requirements that docs/conformance.md does not name: {missing:?}");
}

#[test]
fn commands_and_links_work() {
    let xtask: String = sources("xtask/src").into_values().collect();
    for document in DOCUMENTS {
        let text = read(document);
        for command in text.split("cargo xtask ").skip(1) {
            let word: String = command.chars().take_while(char::is_ascii_lowercase).collect();
            assert!(xtask.contains(&format!("\"{word}\"")), "{document}: there is no cargo xtask {word}");
        }
        let path = root().join(document);
        let folder = path.parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(link.contains("://") || folder.join(link).exists(), "{document}: there is no {link}");
        }
    }
}

#[test]
fn core_and_config_only_decide() {
    // what the standard library has for I/O, clocks, threads and waiting
    let modules = ["fs", "io", "os", "process", "env", "thread"];
    let words =
        ["UdpSocket", "TcpStream", "TcpListener", "SystemTime", "Mutex", "mpsc", "async", "await", "unsafe", "extern"];
    for (path, text) in ["core/src", "config/src"].into_iter().flat_map(sources) {
        for (number, line) in code(&text) {
            let module = modules.into_iter().find(|module| has_word(line, &format!("std::{module}")));
            let word = words.into_iter().find(|word| has_word(line, word));
            let clock = (line.contains("std::time") && has_word(line, "Instant")).then_some("std::time::Instant");
            if let Some(found) = module.or(word).or(clock) {
                panic!("{path}:{number}: {found} has no place here: {line}");
            }
            assert!(!line.contains("use std::{"), "{path}:{number}: write these out, one a line: {line}");
        }
    }
}

/// The dependencies of a manifest, without those for tests.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| Some(line.split_once('=')?.0.split('.').next()?.trim().to_owned())).collect()
}

#[test]
fn crates_depend_on_what_the_table_says() {
    let document = read("ARCHITECTURE.md");
    let mut rows = document.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    for name in CRATES {
        let row = rows.next().unwrap();
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        assert_eq!(cells.next(), Some(name), "{row}");
        let allowed: BTreeSet<&str> = cells.next().unwrap_or_default().split(", ").collect();
        for other in dependencies(&read(format!("{name}/Cargo.toml"))) {
            match other.strip_prefix("keepalived-") {
                Some(other) => assert!(allowed.contains(other), "{name} may not depend on {other}"),
                None => assert!(may_use(name, &other), "{name} may not depend on {other}"),
            }
        }
    }
}

/// Whether a crate of ours may use one of others.
fn may_use(name: &str, other: &str) -> bool {
    match name {
        "core" => ["serde", "hmac", "md-5", "sha2"].contains(&other),
        "config" => ["serde", "annotate-snippets", "rustc-hash"].contains(&other),
        "kernel" => true,
        _ => !["libc", "nix", "rustix", "socket2"].contains(&other),
    }
}

#[test]
fn unsafe_is_in_the_kernel_crate_only() {
    for folder in ["core", "config", "state", "checks", "surface", "daemon", "cli", "tests", "xtask"] {
        // this file speaks of it
        for (path, text) in sources(folder).into_iter().filter(|(path, _)| path != "daemon/tests/documents.rs") {
            for (number, line) in code(&text) {
                assert!(!has_word(line, "unsafe"), "{path}:{number}: {line}");
            }
        }
    }
    for name in CRATES.into_iter().filter(|name| *name != "kernel") {
        assert!(read(format!("{name}/src/lib.rs")).contains("#![forbid(unsafe_code)]"), "{name} does not forbid it");
    }
}

#[test]
fn the_lints_hold_everywhere() {
    let workspace = read("Cargo.toml");
    let lints = ["unwrap_used", "indexing_slicing", "panic", "as_conversions"];
    for lint in lints {
        assert!(workspace.contains(&format!("\n{lint} = \"warn\"")), "{lint} is not on");
    }
    assert!(read("xtask/src/check.rs").contains("\"-D\", \"warnings\""), "cargo xtask test lets warnings pass");
    // a cast that loses nothing, where the conversion cannot be called yet
    let excused = [("core/src/time.rs", "as_conversions")];
    for name in CRATES {
        assert!(read(format!("{name}/Cargo.toml")).contains("\n[lints]\nworkspace = true"), "{name} has no lints");
        for (path, text) in sources(&format!("{name}/src")) {
            for (number, line) in code(&text).filter(|(_, line)| line.contains("expect(") || line.contains("allow(")) {
                for lint in lints.into_iter().filter(|lint| line.contains(&format!("clippy::{lint}"))) {
                    assert!(excused.contains(&(path.as_str(), lint)), "{path}:{number}: {line}");
                }
            }
        }
    }
}

#[test]
fn the_simulator_runs_the_engine_that_ships() {
    assert!(dependencies(&read("tests/sim/Cargo.toml")).contains("keepalived-daemon"));
    let sources = sources("tests/sim/src");
    let is_there = sources.values().any(|text| text.contains("\nmod ") || text.contains("\npub mod "));
    for process in ["vrrp", "checker"] {
        let uses = format!("use keepalived_daemon::{process}::");
        let runs_it = |text: &String| text.contains(&uses) && text.contains("Engine::new(");
        assert!(!is_there || sources.values().any(runs_it), "it does not run the engine of {process}");
    }
    for (path, text) in &sources {
        for (number, line) in code(text) {
            for machine in ["Router::new(", "Balancer::new("] {
                assert!(!line.contains(machine), "{path}:{number}: a machine beside the engine: {line}");
            }
        }
    }
}
