//! `keepalivedctl diff`: what a reload from one configuration to another would change, as the daemon's own plan has it.

mod fields;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use keepalived_config::model::{Instance, Settings, VirtualServer};
use keepalived_config::plan::{Change, Edit, Plan, RealServerEdit, VirtualServerEdit, keyed, leaves_nothing, plan};
use keepalived_config::syntax::Node;
use keepalived_config::{Loaded, fatal};

use fields::fields;
use serde::Serialize;

use crate::explain::counted;
use crate::input::{Reading, caution};
use crate::{Answer, Failure, eprint_all, json, status};

/// What `diff` is given.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What runs now
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What it would be reloaded with
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// The plan as JSON
    #[arg(long)]
    json: bool,
    /// Exit with 1 if anything would change
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(arguments: &Arguments) -> Answer {
    let (old, new) = (arguments.reading.load(&arguments.old)?, arguments.reading.load(&arguments.new)?);
    if fatal(&new.findings) {
        let path = arguments.new.display();
        return Err(Failure(format!(
            "{path} cannot be used, so a reload changes nothing; see keepalivedctl check {path}"
        )));
    }
    for (path, loaded) in [(&arguments.old, &old), (&arguments.new, &new)] {
        eprint_all(&caution(path, loaded).unwrap_or_default());
    }
    let plan =
        plan(&old.config, &new.config).map_err(|refusal| Failure(format!("a reload changes nothing: {refusal}")))?;
    if let Some(warning) = leaves_nothing(&old.config, &new.config) {
        eprint_all(&format!("warning: {warning}\n"));
    }
    let text = if arguments.json { json(&plan)? } else { text(&plan, &old, &new) };
    let differs = arguments.exit_code && !plan.is_empty();
    Ok((text.into_bytes(), if differs { status::DIFFERENT } else { status::GOOD }))
}

fn text(plan: &Plan, old: &Loaded, new: &Loaded) -> String {
    if plan.is_empty() {
        return "a reload would change nothing\n".to_owned();
    }
    let mut out = String::new();
    for change in &plan.changes {
        describe(&mut out, change, old, new);
    }
    out
}

fn describe(out: &mut String, change: &Change, old: &Loaded, new: &Loaded) {
    let before = |key| keyed(&old.config.instances).find(|(other, _)| other == key).map(|(_, instance)| instance);
    // writing to a String cannot fail
    match change {
        Change::Removed(key) => {
            let name = before(key).map_or("", |instance| instance.name.as_str());
            writeln!(out, "- instance {name} (VRID {}): its addresses are given up", key.vrid).ok();
        }
        Change::Changed { key, instance } => {
            writeln!(out, "~ instance {} (VRID {}) keeps its state", instance.name, key.vrid).ok();
            let name = before(key).map_or("", |instance| instance.name.as_str());
            statements(out, block(old, "vrrp_instance", name), block(new, "vrrp_instance", &instance.name));
        }
        Change::Added(instance) => {
            let Instance { name, settings: Settings { vrid, .. }, .. } = instance.as_ref();
            writeln!(out, "+ instance {name} (VRID {vrid}): it starts as at a start of the daemon").ok();
        }
        Change::GlobalChanged => {
            writeln!(out, "~ what holds for the whole daemon").ok();
            statements(out, all(old, "global_defs"), all(new, "global_defs"));
        }
        Change::SyncGroupsChanged => {
            writeln!(out, "~ sync groups").ok();
            statements(out, all(old, "vrrp_sync_group"), all(new, "vrrp_sync_group"));
        }
        Change::GarpGroupsChanged => {
            writeln!(out, "~ garp groups").ok();
            statements(out, all(old, "garp_group"), all(new, "garp_group"));
        }
        Change::TrackersChanged => {
            writeln!(out, "~ what can be tracked").ok();
            for keyword in ["vrrp_script", "track_file", "vrrp_track_file", "vrrp_track_process", "vrrp_track_probe"] {
                statements(out, all(old, keyword), all(new, keyword));
            }
        }
        Change::StaticsChanged => {
            writeln!(out, "~ static addresses, routes and rules").ok();
            for keyword in ["static_ipaddress", "static_routes", "static_rules", "track_group"] {
                statements(out, all(old, keyword), all(new, keyword));
            }
        }
        Change::LinksChanged => {
            writeln!(out, "~ how links are watched").ok();
            for keyword in ["linkbeat_interfaces", "interface_up_down_delays"] {
                statements(out, all(old, keyword), all(new, keyword));
            }
        }
        Change::SslChanged => {
            writeln!(out, "~ SSL").ok();
            statements(out, all(old, "SSL"), all(new, "SSL"));
        }
        Change::BfdInstance(edit) => named(out, "BFD session", edit, |session| session.name.clone()),
        Change::VirtualServerGroup(edit) => named(out, "virtual_server_group", edit, |group| group.name.clone()),
        Change::VirtualServer(edit) => server(out, edit),
    }
}

/// Something with a name that comes, goes or differs.
fn named<T: Serialize>(out: &mut String, what: &str, edit: &Edit<T>, name: impl Fn(&T) -> String) {
    match edit {
        Edit::Removed(old) => writeln!(out, "- {what} {}", name(old)).ok(),
        Edit::Added(new) => writeln!(out, "+ {what} {}", name(new)).ok(),
        Edit::Changed { old, new } => {
            let line = writeln!(out, "~ {what} {}", name(new)).ok();
            fields(out, "    ", old, new);
            line
        }
    };
}

fn server(out: &mut String, edit: &VirtualServerEdit) {
    let count = |server: &VirtualServer| server.real_servers.len();
    match edit {
        VirtualServerEdit::Removed(server) => {
            writeln!(out, "- virtual server {} with {}", server.service, counted(count(server), "real server")).ok();
        }
        VirtualServerEdit::Added(server) => {
            writeln!(out, "+ virtual server {} with {}", server.service, counted(count(server), "real server")).ok();
        }
        VirtualServerEdit::Changed(change) => {
            writeln!(out, "~ virtual server {}", change.service).ok();
            if let Some(settings) = &change.settings {
                fields(out, "    ", &settings.0, &settings.1);
            }
            change.real_servers.iter().for_each(|edit| real_server(out, edit));
        }
    }
}

fn real_server(out: &mut String, edit: &RealServerEdit) {
    let at = |address: IpAddr, port: Option<NonZeroU16>| match port {
        Some(port) => format!("{address} {port}"),
        None => address.to_string(),
    };
    match edit {
        RealServerEdit::Removed(real) => {
            writeln!(out, "    - real server {}", at(real.address, real.port)).ok();
        }
        RealServerEdit::Added(real) => {
            writeln!(out, "    + real server {}: it is up once its checks say so", at(real.address, real.port)).ok();
        }
        RealServerEdit::Changed(change) => {
            writeln!(out, "    ~ real server {} keeps its verdict", at(change.address, change.port)).ok();
            if let Some(settings) = &change.settings {
                fields(out, "        ", &settings.0, &settings.1);
            }
            for checker in &change.checkers {
                match checker {
                    Edit::Removed(checker) => writeln!(out, "        - {}", checker.keyword()).ok(),
                    Edit::Added(checker) => writeln!(out, "        + {}", checker.keyword()).ok(),
                    Edit::Changed { old, new } => {
                        let line = writeln!(out, "        ~ {}", new.keyword()).ok();
                        fields(out, "            ", old, new);
                        line
                    }
                };
            }
        }
    }
}

/// The statements in the first block of this keyword and name, each as a line with the blocks around it.
fn block(loaded: &Loaded, keyword: &str, name: &str) -> Vec<String> {
    let mut blocks = loaded.tree.roots().filter(|node| node.is(keyword));
    let block = blocks.find(|node| node.argument().is_some_and(|word| word.text == name.as_bytes()));
    let mut lines = Vec::new();
    if let Some(block) = block {
        block.children().for_each(|node| flatten(node, "", &mut lines));
    }
    lines
}

/// The same of all blocks of this keyword.
fn all(loaded: &Loaded, keyword: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in loaded.tree.roots().filter(|node| node.is(keyword)) {
        let name = block.argument().map(|word| format!("{} ", word.str())).unwrap_or_default();
        block.children().for_each(|node| flatten(node, &name, &mut lines));
    }
    lines
}

/// The reader keeps nesting shallow, so this cannot go deep.
fn flatten(node: Node<'_>, around: &str, lines: &mut Vec<String>) {
    let words: Vec<String> = node.words().map(|word| word.str().into_owned()).collect();
    let line = format!("{around}{}", words.join(" "));
    if node.block().is_none() {
        return lines.push(line);
    }
    node.children().for_each(|child| flatten(child, &format!("{line} "), lines));
}

/// What stands in one and not in the other. If the text is the same, something that it refers to has changed.
fn statements(out: &mut String, old: Vec<String>, new: Vec<String>) {
    let only = |some: &[String], others: &[String]| -> Vec<String> {
        let others: HashSet<&String> = others.iter().collect();
        some.iter().filter(|line| !others.contains(line)).cloned().collect()
    };
    let (gone, come) = (only(&old, &new), only(&new, &old));
    let unchanged = gone.is_empty() && come.is_empty();
    for (sign, line) in gone.iter().map(|line| ('-', line)).chain(come.iter().map(|line| ('+', line))) {
        writeln!(out, "    {sign} {line}").ok();
    }
    if unchanged {
        let why = if old == new { "through what holds for the whole daemon" } else { "in the order of its statements" };
        writeln!(out, "    {why}").ok();
    }
}
