//! `global_defs` and the root keywords beside it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use keepalived_core::vrrp::Version;

use super::reading::Reading;
use super::settings::{Pacing, process_name, umask};
use super::statements::Statements;
use super::{group, lvs, services};
use crate::finding::{Finding, rule};
use crate::model::{BufferPolicy, Global, RouterDefaults, VipLost};
use crate::syntax::Node;
use crate::value;

/// `UINT_MAX`
pub(super) const UINT: RangeInclusive<i64> = 0..=4_294_967_295;

/// What an instance has unless it says otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Defaults {
    /// `vrrp_version`; IPv4 only.
    pub(super) version: Version,
    /// `vrrp_strict`
    pub(super) strict: bool,
    /// `vrrp_check_unicast_src`
    pub(super) check_unicast_src: bool,
    /// `vrrp_skip_check_adv_addr`
    pub(super) skip_check_adv_addr: bool,
    /// `v3_checksum_as_v2`
    pub(super) v3_checksum_as_v2: bool,
    /// `vrrp_lower_prio_no_advert`
    pub(super) lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`
    pub(super) higher_prio_send_advert: bool,
    /// `vrrp_owner_ignore_adverts`
    pub(super) owner_ignore_adverts: bool,
    /// `vrrp_down_timer_adverts`
    pub(super) down_timer_adverts: u8,
    /// `vrrp_garp_*`
    pub(super) pacing: Pacing,
    /// `vrrp_notify_priority_changes`
    pub(super) priority_changes: bool,
    /// The same in the sync group of an instance.
    pub(super) group_priority_changes: HashMap<String, bool>,
}

impl Defaults {
    /// For the model: with what each instance starts from.
    fn shown(&self) -> RouterDefaults {
        RouterDefaults {
            version: self.version,
            strict: self.strict,
            check_unicast_src: self.check_unicast_src,
            skip_check_adv_addr: self.skip_check_adv_addr,
            v3_checksum_as_v2: self.v3_checksum_as_v2,
            lower_prio_no_advert: self.lower_prio_no_advert,
            higher_prio_send_advert: self.higher_prio_send_advert,
            owner_ignore_adverts: self.owner_ignore_adverts,
            down_timer_adverts: self.down_timer_adverts,
            garp: Pacing::default().over(&self.pacing, false),
            notify_priority_changes: self.priority_changes,
        }
    }
}

/// Reads all of it, wherever in the file it stands.
pub(super) fn read(reading: &mut Reading<'_>) -> (Global, Defaults) {
    let tree = reading.tree;
    let root = Statements::of(tree.roots());
    let blocks = Statements::of(root.all("global_defs").flat_map(|block| block.children()));
    let mut global = Global::default();
    read_root(reading, &root, &mut global);
    read_process(reading, &blocks, &mut global);
    read_vrrp(reading, &blocks, &mut global);
    read_files(reading, &blocks, &mut global);
    services::read(reading, &blocks, &mut global);
    global.firewall = lvs::firewall(reading, &blocks);
    global.balancing = lvs::balancing(reading, &root, &blocks);
    reading.dynamic_interfaces = global.dynamic_interfaces;
    let defaults = defaults(reading, &blocks);
    global.routers = defaults.shown();
    (global, defaults)
}

fn read_root(reading: &mut Reading<'_>, root: &Statements<'_>, global: &mut Global) {
    let (instance, net_namespace) = (root.first("instance"), root.first("net_namespace"));
    global.instance = reading.text(instance);
    global.net_namespace = reading.text(net_namespace);
    global.linkbeat_use_polling = root.has("linkbeat_use_polling");
    global.namespace_with_ipsets = root.has("namespace_with_ipsets");
    // a namespace has a /run of its own, and several instances would be in each other's way
    let apart = global.net_namespace.is_some() || global.instance.is_some();
    global.use_pid_dir = root.has("use_pid_dir") || apart;
    if let Some(seconds) = reading.integer(root.last("child_wait_time")) {
        global.child_wait_time = Duration::from_secs(seconds);
    }
}

fn read_process(reading: &mut Reading<'_>, blocks: &Statements<'_>, global: &mut Global) {
    global.router_id = reading.text(blocks.last_of("router_id", "lvs_id"));
    global.dynamic_interfaces = blocks.has("dynamic_interfaces");
    global.allow_interface_changes = dynamic_option(reading, blocks.last("dynamic_interfaces"));
    global.default_interface = reading.interface(blocks.last("default_interface"));
    global.process_name = process_name(reading, blocks.last("process_name"));
    global.umask = umask(reading, blocks.last("umask"));
}

/// Whether `dynamic_interfaces` says `allow_if_changes`.
fn dynamic_option(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> bool {
    let Some(word) = node.and_then(|node| node.argument()) else { return false };
    let known = word.text == b"allow_if_changes";
    if !known {
        let message = format!("dynamic_interfaces knows allow_if_changes, not {}", word.str());
        reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
    }
    known
}

fn read_vrrp(reading: &mut Reading<'_>, blocks: &Statements<'_>, global: &mut Global) {
    let group4 = reading.address(blocks.last("vrrp_mcast_group4"), "an IPv4 multicast address", |address| {
        address.is_ipv4() && address.is_multicast()
    });
    if let Some(IpAddr::V4(group)) = group4 {
        global.mcast_group4 = group;
    }
    let group6 = reading.address(blocks.last("vrrp_mcast_group6"), "an IPv6 multicast address", |address| {
        address.is_ipv6() && address.is_multicast()
    });
    if let Some(IpAddr::V6(group)) = group6 {
        if !value::is_group(IpAddr::V6(group)) {
            let message = format!("{group} is not link-local; it is used");
            reading.report_at(&rule::GROUP_SCOPE, blocks.last("vrrp_mcast_group6"), message);
        }
        global.mcast_group6 = group;
    }
    global.garp_interval = reading.duration(blocks.last("vrrp_garp_interval")).unwrap_or_default();
    global.gna_interval = reading.duration(blocks.last("vrrp_gna_interval")).unwrap_or_default();
    global.startup_delay = reading.duration(blocks.last("vrrp_startup_delay")).unwrap_or_default();
    global.delay_after_boot = reading.duration(blocks.last("vrrp_delay_after_boot")).unwrap_or_default();
    global.log_unknown_vrids = blocks.has("log_unknown_vrids");
    if reading.choice(blocks.last("vip_lost")) == Some("backup") {
        global.vip_lost = VipLost::Backup;
    }
    let multiplier = blocks.last("vrrp_rx_bufs_multiplier").filter(|node| reading.single_text(Some(*node)).is_some());
    if let Some(multiplier) = reading.integer(multiplier) {
        global.vrrp_rx_multiplier = multiplier;
    }
    (global.vrrp_rx_buffer, global.vrrp_rx_policy) = receive_buffer(reading, blocks.all("vrrp_rx_bufs_policy"));
}

/// A number of octets. The policies MTU and ADVERT leave it to us: we size buffers by what can arrive.
fn receive_buffer<'a>(
    reading: &mut Reading<'_>,
    nodes: impl Iterator<Item = Node<'a>>,
) -> (Option<u32>, Option<BufferPolicy>) {
    let (mut size, mut policy) = (None, None);
    let mut before: Option<Node<'_>> = None;
    for node in nodes {
        if before.replace(node).is_some() || node.arguments().len() > 1 {
            let message = "vrrp_rx_bufs_policy is MTU, ADVERT or a number of octets, not several of them";
            reading.report_at(&rule::BUFFER_POLICY, Some(node), message);
        }
        for word in node.arguments() {
            if word.text.eq_ignore_ascii_case(b"mtu") {
                policy = Some(BufferPolicy::Mtu);
            } else if word.text.eq_ignore_ascii_case(b"advert") {
                policy = policy.or(Some(BufferPolicy::Advert));
            } else {
                let octets = reading.number_word("vrrp_rx_bufs_policy", word, UINT);
                size = octets.and_then(|octets| u32::try_from(octets).ok()).or(size);
            }
        }
    }
    (size, policy)
}

fn read_files(reading: &mut Reading<'_>, blocks: &Statements<'_>, global: &mut Global) {
    global.state_dump_file = reading.single_text(blocks.last("state_dump_file"));
    global.stats_dump_file = reading.single_text(blocks.last("stats_dump_file"));
    global.json_dump_file = reading.single_text(blocks.last("json_dump_file"));
    global.data_use_instance = reading.switch(blocks.last("data_use_instance")).unwrap_or(false);
    global.random_seed = reading.integer(blocks.last("random_seed"));
    global.iproute_usr_dir = reading.single_text(blocks.last("iproute_usr_dir"));
    global.iproute_etc_dir = reading.single_text(blocks.last("iproute_etc_dir"));
    reading.iproute_directories = [global.iproute_etc_dir.clone(), global.iproute_usr_dir.clone()];
    global.json_version = reading.integer(blocks.last("json_version")).unwrap_or(1);
}

fn defaults(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Defaults {
    let version: i64 = reading.integer(blocks.last("vrrp_version")).unwrap_or(2);
    let down_timer_adverts = reading.integer(blocks.last("vrrp_down_timer_adverts")).unwrap_or(3);
    let pacing = Pacing::global(reading, blocks);
    let groups = reading.tree.roots().filter(|node| node.is("vrrp_sync_group"));
    let group_priority_changes = group::priority_changes(groups);
    let mut switch = |name| reading.switch(blocks.last(name)).unwrap_or(false);
    Defaults {
        version: if version == 3 { Version::V3 } else { Version::V2 },
        strict: switch("vrrp_strict"),
        check_unicast_src: blocks.has("vrrp_check_unicast_src"),
        skip_check_adv_addr: switch("vrrp_skip_check_adv_addr"),
        v3_checksum_as_v2: blocks.has("v3_checksum_as_v2"),
        lower_prio_no_advert: switch("vrrp_lower_prio_no_advert"),
        higher_prio_send_advert: switch("vrrp_higher_prio_send_advert"),
        owner_ignore_adverts: switch("vrrp_owner_ignore_adverts"),
        down_timer_adverts,
        priority_changes: switch("vrrp_notify_priority_changes"),
        pacing,
        group_priority_changes,
    }
}
