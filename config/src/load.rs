//! From a path to a `Config` and everything there is to say about it.

mod address;
mod balance;
mod claims;
mod encap;
mod fixed;
mod global;
mod group;
mod instance;
mod known_scripts;
mod line;
mod lvs;
mod notify;
mod policy;
mod preferences;
mod probe;
mod reading;
mod route;
mod routing;
mod script;
mod security;
mod services;
mod settings;
mod statements;
mod track;
mod tracks;
mod weights;

use std::path::Path;

use crate::check::check;
use crate::facts::Facts;
use crate::finding::{Finding, Findings, rule};
use crate::model::Config;
use crate::source::Source;
use crate::span::{Files, Span};
use crate::syntax::{Options, Tree, parse};
use reading::Reading;
use statements::Statements;

/// What loading gives: always a `Config`, however much is wrong; whether it may be used, `finding::fatal` tells.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the configuration means. Unusable if `finding::fatal(&findings)`.
    pub config: Config,
    /// In the order of the text; bounded.
    pub findings: Vec<Finding>,
    /// How many more there were than were kept.
    pub left_out: usize,
    /// The statements, and the files that they stand in.
    pub tree: Tree,
}

impl Loaded {
    /// What was read, for `finding::render`.
    pub fn files(&self) -> &Files {
        self.tree.files()
    }
}

/// Loads the file or pattern `path` with the default options.
pub fn load(source: &dyn Source, path: &Path, facts: &dyn Facts) -> Loaded {
    load_with(source, path, facts, &Options::default())
}

/// Loads the file or pattern `path`. Never fails and never stops at the first finding.
pub fn load_with(source: &dyn Source, path: &Path, facts: &dyn Facts, options: &Options) -> Loaded {
    let parsed = parse(source, path, options);
    let mut findings = parsed.findings;
    let template = template(&parsed.tree, &findings);
    typographic_quotes(parsed.tree.files(), &mut findings);
    let near_misses = check(&parsed.tree, &mut findings);
    let inside = namespace(&parsed.tree, facts, &mut findings);
    let facts = inside.as_deref().unwrap_or(facts);
    let mut reading = Reading::new(&parsed.tree, facts, near_misses, findings);
    let config = config(&mut reading);
    let mut left_out = reading.findings.left_out();
    let mut findings = reading.findings.sorted();
    if let Some(template) = template {
        // each of the others follows from it
        (findings, left_out) = (vec![template], 0);
    }
    findings.iter_mut().for_each(|finding| keep_fix_of_text(finding, parsed.tree.files()));
    Loaded { config, findings, left_out, tree: parsed.tree }
}

/// What to say of a template that was not rendered: `{{ NAME }}` or `{% if %}` where no block begins.
fn template(tree: &Tree, findings: &Findings) -> Option<Finding> {
    let files = tree.files();
    let span = findings.places(&rule::UNEXPECTED_OPEN).find(|span| {
        let pair = Span { end: span.start.saturating_add(2), ..*span };
        matches!(files.text(pair), b"{{" | b"{%")
    })?;
    let finding = Finding::at(&rule::TEMPLATE, span, "this is a template in which nothing has been put in");
    Some(finding.note("nothing else is said about it"))
}

/// Says once in each file where quotes stand that are letters: U+2018 to U+201F.
fn typographic_quotes(files: &Files, findings: &mut Findings) {
    for (file, text) in files.iter() {
        let mut start = 0;
        for line in text.bytes.split_inclusive(|octet| *octet == b'\n') {
            let before_comment = line.split(|octet| matches!(octet, b'#' | b'!')).next().unwrap_or_default();
            let quote = before_comment.windows(3).position(|octets| matches!(octets, [0xe2, 0x80, 0x98..=0x9f]));
            if let Some(at) = quote {
                let start = at.saturating_add(start);
                let span = Span { file, start, end: start.saturating_add(3) };
                let message = "quotes like these are letters, and join no words";
                findings.push(Finding::at(&rule::TYPOGRAPHIC_QUOTES, span, message).help("write \""));
                break;
            }
            start = line.len().saturating_add(start);
        }
    }
}

/// The machine as it is inside `net_namespace`, where this configuration is to run.
fn namespace(tree: &Tree, facts: &dyn Facts, findings: &mut Findings) -> Option<Box<dyn Facts>> {
    let word = tree.roots().find(|node| node.is("net_namespace"))?.argument()?;
    let inside = facts.inside(&word.str())?;
    if !inside.exists {
        let message = format!("there is no network namespace {}", word.str());
        let finding = Finding::at(&rule::NAMESPACE_MISSING, word.span, message);
        findings.push(finding.note("the daemon does not start without it; its interfaces cannot be looked at"));
    }
    Some(inside.facts)
}

/// Takes away a fix for words that a definition brought: where they seem to stand is its use, `$NAME`.
fn keep_fix_of_text(finding: &mut Finding, files: &Files) {
    finding.fix.take_if(|fix| files.text(fix.span).contains(&b'$'));
}

fn config(reading: &mut Reading<'_>) -> Config {
    let tree: &Tree = reading.tree;
    let named = |name: &'static str| tree.roots().filter(move |node| node.is(name));
    let root = Statements::of(tree.roots());
    let (mut global, defaults) = global::read(reading);
    let bfd_instances = balance::bfd_instances(reading);
    let (definitions, mut trackers) = track::read(reading, &bfd_instances);
    let balance = balance::read(reading, &global, &bfd_instances, &definitions.files);
    fixed::track_groups(reading, &root);
    let statics = fixed::statics(reading, &root, &global);
    let mut instances = instance::read_all(reading, named("vrrp_instance"), &global, &defaults, &mut trackers);
    let mut sync_groups = group::sync_groups(reading, named("vrrp_sync_group"), &global, &instances, &mut trackers);
    let garp_groups = group::garp_groups(reading, named("garp_group"), &global);
    trackers.unused(reading);
    weights::settle(reading, &mut instances, &mut sync_groups);
    claims::check(reading, &instances);
    if global.balancing.sync_daemon.is_none() {
        global.balancing.sync_daemon = instances.iter().find_map(lvs::sync_daemon_of).map(Box::new);
    }
    let names = instances.iter().map(|instance| instance.name.as_str()).collect();
    let track_groups = fixed::members(reading, &root, &names);
    let mut config = Config {
        global,
        instances,
        sync_groups,
        garp_groups,
        scripts: definitions.scripts,
        files: definitions.files,
        processes: definitions.processes,
        probes: definitions.probes,
        track_groups,
        static_addresses: statics.addresses,
        static_routes: statics.routes,
        static_rules: statics.rules,
        linkbeats: fixed::linkbeats(reading, &root),
        interface_delays: fixed::delays(reading, &root),
        virtual_servers: balance.virtual_servers,
        virtual_server_groups: balance.groups,
        ssl: balance.ssl,
        bfd_instances,
    };
    security::check(reading, &mut config);
    config
}
