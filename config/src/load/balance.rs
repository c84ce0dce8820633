//! Load balancing: `virtual_server`, `virtual_server_group`, checks, `SSL`, `bfd_instance`.

mod backend;
mod bfd;
mod check;
mod dns;
mod endpoint;
mod forwarding;
mod group;
mod grpc;
mod http;
mod pace;
mod persistence;
mod quorum;
mod real;
mod scene;
mod service;
mod shared;
mod stay;
mod surroundings;
mod tls;
mod udp;

use std::cell::RefCell;
use std::collections::HashSet;

use self::group::KnownGroup;
use self::surroundings::Surroundings;
use super::reading::Reading;
use super::statements::Statements;
use crate::finding::rule;
use crate::model::{BfdInstance, Global, Ssl, TrackFile, VirtualServer, VirtualServerGroup};
use crate::syntax::Node;

/// All blocks of load balancing.
pub(super) struct Balance {
    pub(super) virtual_servers: Vec<VirtualServer>,
    pub(super) groups: Vec<VirtualServerGroup>,
    pub(super) ssl: Option<Ssl>,
}

/// Reads the sessions, which serve more than load balancing.
pub(super) fn bfd_instances(reading: &mut Reading<'_>) -> Vec<BfdInstance> {
    let tree = reading.tree;
    bfd::read_all(reading, tree.roots().filter(|node| node.is("bfd_instance")))
}

/// Reads all blocks, in any order.
pub(super) fn read(
    reading: &mut Reading<'_>,
    global: &Global,
    bfd_instances: &[BfdInstance],
    track_files: &[TrackFile],
) -> Balance {
    let tree = reading.tree;
    let root = Statements::of(tree.roots());
    let ssl = ssl(reading, &root);
    let groups = group::read_all(reading, root.all("virtual_server_group"));
    let surroundings = Surroundings {
        groups: groups.iter().map(|group| (group.name.as_str(), KnownGroup::new(group))).collect(),
        group_names: names(root.all("virtual_server_group")),
        bfd_instances: bfd_instances.iter().map(|instance| (instance.name.as_str(), instance)).collect(),
        track_files: track_files.iter().map(|file| (file.name.as_str(), file.weight)).collect(),
        smtp_alert: global.mail.alert_checker.or(global.mail.alert),
        log_all_failures: global.balancing.log_all_failures,
        backend: global.balancing.backend,
        verify: ssl.as_ref().is_some_and(|ssl| ssl.verify),
        slow: RefCell::new(None),
    };
    let virtual_servers = service::read_all(reading, &root, &surroundings, &global.balancing);
    if let Some((finding, count)) = surroundings.slow.into_inner() {
        reading.report(if count > 1 {
            finding.note(format!("it is the first of {count} such checks"))
        } else {
            finding
        });
    }
    Balance { virtual_servers, groups, ssl }
}

fn names<'a>(blocks: impl Iterator<Item = Node<'a>>) -> HashSet<String> {
    blocks.filter_map(|block| block.argument()).map(|word| word.str().into_owned()).collect()
}

fn ssl(reading: &mut Reading<'_>, root: &Statements<'_>) -> Option<Ssl> {
    let mut blocks = root.all("SSL");
    let mut last = blocks.next()?;
    for block in blocks {
        reading.report_at(&rule::SSL_TWICE, Some(block), "there is an SSL block already; this one replaces it");
        last = block;
    }
    let statements = Statements::of(last.children());
    let verify = reading.switch(statements.last("tls_verify")).unwrap_or(false);
    let text = |name| reading.text(statements.last(name));
    Some(Ssl { password: text("password"), ca: text("ca"), certificate: text("certificate"), key: text("key"), verify })
}
