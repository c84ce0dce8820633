//! Load balancing: `virtual_server`, `virtual_server_group`, checks, `SSL`, `bfd_instance`.

mod bfd;
mod check;
mod dns;
mod endpoint;
mod forwarding;
mod group;
mod http;
mod pace;
mod persistence;
mod quorum;
mod real;
mod service;
mod udp;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use self::group::KnownGroup;
use super::statements::{Reading, Statements};
use crate::finding::{Finding, rule};
use crate::model::{BfdInstance, Ssl, VirtualServer, VirtualServerGroup};
use crate::syntax::Node;
use crate::value;

/// All that there is to load balancing, and what serves more than that.
pub(super) struct Balance {
    pub(super) virtual_servers: Vec<VirtualServer>,
    pub(super) groups: Vec<VirtualServerGroup>,
    pub(super) ssl: Option<Ssl>,
    pub(super) bfd_instances: Vec<BfdInstance>,
}

/// What virtual servers and checks refer to, and what holds for all of them.
struct Surroundings<'a> {
    groups: HashMap<&'a str, KnownGroup<'a>>,
    /// Those that are left out, too.
    group_names: HashSet<String>,
    bfd_instances: HashMap<&'a str, &'a BfdInstance>,
    track_files: HashSet<String>,
    /// `smtp_alert_checker`, else `smtp_alert`.
    smtp_alert: Option<bool>,
    /// The first check whose attempts take longer than its period, and how many there are: one finding is enough for all.
    slow: RefCell<Option<(Finding, usize)>>,
}

/// Reads all of it, in whatever order it stands.
pub(super) fn read(reading: &mut Reading<'_>) -> Balance {
    let tree = reading.tree;
    let root = Statements::of(tree.roots());
    let ssl = ssl(reading, &root);
    let bfd_instances = bfd::read_all(reading, root.all("bfd_instance"));
    let groups = group::read_all(reading, root.all("virtual_server_group"));
    let surroundings = Surroundings {
        groups: groups.iter().map(|group| (group.name.as_str(), KnownGroup::new(group))).collect(),
        group_names: names(root.all("virtual_server_group")),
        bfd_instances: bfd_instances.iter().map(|instance| (instance.name.as_str(), instance)).collect(),
        track_files: names(root.all("track_file").chain(root.all("vrrp_track_file"))),
        smtp_alert: smtp_alert(&root),
        slow: RefCell::new(None),
    };
    let virtual_servers = service::read_all(reading, root.all("virtual_server"), &surroundings);
    if let Some((finding, count)) = surroundings.slow.into_inner() {
        reading.report(if count > 1 {
            finding.note(format!("it is the first of {count} such checks"))
        } else {
            finding
        });
    }
    Balance { virtual_servers, groups, ssl, bfd_instances }
}

fn names<'a>(blocks: impl Iterator<Item = Node<'a>>) -> HashSet<String> {
    blocks.filter_map(|block| block.argument()).map(|word| word.str().into_owned()).collect()
}

/// What `global_defs` says about mail. A value that is none is reported where `global_defs` is read.
fn smtp_alert(root: &Statements<'_>) -> Option<bool> {
    let blocks = Statements::of(root.all("global_defs").flat_map(|block| block.children()));
    let said = |name| {
        let node = blocks.last(name)?;
        node.argument().map_or(Some(true), |word| value::boolean(word.text))
    };
    said("smtp_alert_checker").or_else(|| said("smtp_alert"))
}

fn ssl(reading: &mut Reading<'_>, root: &Statements<'_>) -> Option<Ssl> {
    let mut blocks = root.all("SSL");
    let mut last = blocks.next()?;
    for block in blocks {
        reading.report_at(&rule::SSL_TWICE, Some(block), "there is an SSL block already; this one replaces it");
        last = block;
    }
    let statements = Statements::of(last.children());
    let text = |name| reading.text(statements.last(name));
    Some(Ssl { password: text("password"), ca: text("ca"), certificate: text("certificate"), key: text("key") })
}
