//! Several configurations as the nodes of one cluster: what is fine in each file and wrong between them.
//!
//! Routers of the same VRID and family belong together, whatever their names; interfaces may be called differently on
//! each machine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use keepalived_core::vrrp::{Authentication, Family, Version, Vrid};

use crate::finding::{Finding, Rule, rule};
use crate::load::Loaded;
use crate::model::{Instance, Transport};
use crate::span::Span;

/// The configuration of one node.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// What people call it: the file.
    pub name: &'a str,
    /// What it holds.
    pub loaded: &'a Loaded,
}

/// One finding between nodes, in the file of one of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Between {
    /// Index of the node in whose files the finding has its place.
    pub member: usize,
    /// What was found.
    pub finding: Finding,
}

/// One router as one node has it.
#[derive(Clone, Copy)]
struct Router<'a> {
    member: usize,
    node: Member<'a>,
    instance: &'a Instance,
}

/// Compares the nodes. Linear in the number of instances.
pub fn compare(members: &[Member<'_>]) -> Vec<Between> {
    let mut findings = Vec::new();
    if members.len() < 2 {
        return findings;
    }
    let mut routers: BTreeMap<(Vrid, Family), Vec<Router<'_>>> = BTreeMap::new();
    for (member, node) in members.iter().enumerate() {
        for instance in &node.loaded.config.instances {
            let router = Router { member, node: *node, instance };
            routers.entry((instance.settings.vrid, instance.settings.family)).or_default().push(router);
        }
    }
    for group in routers.values() {
        let Some((first, others)) = group.split_first() else { continue };
        let nodes: BTreeSet<usize> = group.iter().map(|router| router.member).collect();
        if nodes.len() == 1 {
            findings.push(alone(first, members));
            continue;
        }
        for other in others.iter().filter(|other| other.member != first.member) {
            findings.extend(pair(first, other));
        }
        findings.extend(equal_priorities(group));
        findings.extend(peers(group));
        findings.extend(scopes(group));
    }
    findings.sort_by_key(|between| {
        (between.member, between.finding.primary.as_ref().map(|mark| (mark.span.file, mark.span.start)))
    });
    findings
}

impl Router<'_> {
    /// Where `keyword` stands in its block; the block if it does not.
    fn place(&self, keyword: &str) -> Option<Span> {
        let name = self.instance.name.as_bytes();
        let block = self
            .node
            .loaded
            .tree
            .roots()
            .find(|node| node.is("vrrp_instance") && node.argument().is_some_and(|word| word.text == name))?;
        let statement = block.children().filter(|node| node.is(keyword)).last();
        statement.unwrap_or(block).span()
    }

    /// `FILE:LINE` of `keyword`.
    fn address(&self, keyword: &str) -> String {
        let files = self.node.loaded.files();
        match self.place(keyword) {
            Some(span) => format!("{}:{}", files.path(span).display(), files.position(span).line),
            None => self.node.name.to_owned(),
        }
    }

    /// A finding about `keyword` here.
    fn report(&self, rule: &'static Rule, keyword: &str, message: String) -> Between {
        let message = format!("instance {} (VRID {}): {message}", self.instance.name, self.instance.settings.vrid);
        let finding = match self.place(keyword) {
            Some(span) => Finding::at(rule, span, message),
            None => Finding::anywhere(rule, message),
        };
        Between { member: self.member, finding }
    }
}

impl Between {
    fn note(mut self, note: impl Into<String>) -> Self {
        self.finding = self.finding.note(note);
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.finding = self.finding.help(help);
        self
    }
}

/// A router that only one node has.
fn alone(router: &Router<'_>, members: &[Member<'_>]) -> Between {
    let namesake =
        members.iter().enumerate().filter(|(member, _)| *member != router.member).find_map(|(member, node)| {
            let instance = node.loaded.config.instances.iter().find(|other| other.name == router.instance.name)?;
            Some(Router { member, node: *node, instance })
        });
    match namesake {
        Some(other) if other.instance.settings.vrid != router.instance.settings.vrid => {
            let there = other.address("virtual_router_id");
            let message = format!("{there} gives the instance of this name VRID {}", other.instance.settings.vrid);
            router
                .report(&rule::CLUSTER_VRID, "virtual_router_id", message)
                .note("they do not hear each other: both become master")
                .help("give both the same virtual_router_id")
        }
        Some(other) => {
            let message = format!(
                "it is {} here and {} at {}",
                router.instance.settings.family,
                other.instance.settings.family,
                other.address("")
            );
            router.report(&rule::CLUSTER_VRID, "virtual_ipaddress", message)
        }
        None => {
            let message = format!("only {} has it: nothing takes over when this node fails", router.node.name);
            router.report(&rule::CLUSTER_ALONE, "virtual_router_id", message)
        }
    }
}

/// What two nodes must agree on.
fn pair(first: &Router<'_>, other: &Router<'_>) -> Vec<Between> {
    let (here, there) = (other.instance, first.instance);
    let mut found = Vec::new();
    if here.settings.version != there.settings.version {
        let message = format!(
            "version {} here, {} at {}",
            here.settings.version.number(),
            there.settings.version.number(),
            first.address("version")
        );
        let between = other.report(&rule::CLUSTER_VERSION, "version", message);
        found.push(between.note("each refuses the other's adverts: both become master"));
        // the rest depends on the version
        return found;
    }
    found.extend(interval(first, other));
    found.extend(authentication(first, other));
    found.extend(addresses(first, other));
    found.extend(transport(first, other));
    if here.settings.checksum != there.settings.checksum {
        let message = format!("another form of the version 3 checksum than at {}", first.address("v3_checksum_as_v2"));
        let between = other.report(&rule::CLUSTER_CHECKSUM, "v3_checksum_as_v2", message);
        found.push(between.note("a keepalived that expects the other form refuses the adverts"));
    }
    found
}

fn interval(first: &Router<'_>, other: &Router<'_>) -> Option<Between> {
    let (here, there) = (other.instance.settings.interval, first.instance.settings.interval);
    if here == there {
        return None;
    }
    let message =
        format!("advert_int is {:?} here, {:?} at {}", here.duration(), there.duration(), first.address("advert_int"));
    let consequence = match other.instance.settings.version {
        Version::V2 => "version 2 refuses adverts with another interval: both become master",
        Version::V3 => "a backup goes by the master's interval, so the time to fail over depends on who is master",
    };
    Some(other.report(&rule::CLUSTER_INTERVAL, "advert_int", message).note(consequence))
}

fn authentication(first: &Router<'_>, other: &Router<'_>) -> Option<Between> {
    use Authentication::{Header, Hmac, None as Nothing, Password};
    let what = match (&other.instance.authentication, &first.instance.authentication) {
        (Nothing, Nothing) => return None,
        (Nothing, Hmac(hmac)) | (Hmac(hmac), Nothing) if !hmac.signs() => return None,
        (Password(here), Password(there)) | (Header(here), Header(there)) if here == there => return None,
        (Hmac(here), Hmac(there)) if here.believes(there) && there.believes(here) => return None,
        (Nothing, Password(_) | Header(_)) => "no password here, one",
        (Password(_) | Header(_), Nothing) => "a password here, none",
        (Password(_), Password(_)) | (Header(_), Header(_)) => "another password than",
        (Hmac(_), Hmac(_)) => "another key than",
        _ => "another kind of authentication than",
    };
    let message = format!("{what} at {}", first.address("authentication"));
    let between = other.report(&rule::CLUSTER_AUTHENTICATION, "authentication", message);
    Some(between.note("each refuses the other's adverts: both become master"))
}

fn addresses(first: &Router<'_>, other: &Router<'_>) -> Option<Between> {
    let list = |instance: &Instance| instance.addresses.iter().map(|line| line.address).collect::<Vec<IpAddr>>();
    let (here, there) = (list(other.instance), list(first.instance));
    if here == there {
        return None;
    }
    let set = |list: &[IpAddr]| list.iter().copied().collect::<BTreeSet<_>>();
    let (only_here, only_there) = (&set(&here) - &set(&there), &set(&there) - &set(&here));
    let elsewhere = first.address("virtual_ipaddress");
    if only_here.is_empty() && only_there.is_empty() {
        let message = format!("the same addresses as at {elsewhere}, in another order");
        return Some(other.report(&rule::CLUSTER_ADDRESS_ORDER, "virtual_ipaddress", message));
    }
    let message = format!("other addresses than at {elsewhere}");
    let mut between = other.report(&rule::CLUSTER_ADDRESSES, "virtual_ipaddress", message);
    let listed = |set: &BTreeSet<IpAddr>| set.iter().take(8).map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    if !only_here.is_empty() {
        between = between.note(format!("only here: {}", listed(&only_here)));
    }
    if !only_there.is_empty() {
        between = between.note(format!("missing here: {}", listed(&only_there)));
    }
    Some(between.note("an address that only one node has is gone when the other is master"))
}

fn transport(first: &Router<'_>, other: &Router<'_>) -> Option<Between> {
    match (&other.instance.transport, &first.instance.transport) {
        (Transport::Multicast { group: here, .. }, Transport::Multicast { group: there, .. }) if here != there => {
            let message = format!("adverts go to {here} here, to {there} at {}", first.address("mcast_dst_ip"));
            let between = other.report(&rule::CLUSTER_TRANSPORT, "mcast_dst_ip", message);
            Some(between.note("they do not hear each other: both become master"))
        }
        (Transport::Multicast { .. }, Transport::Unicast { .. }) => {
            let message = format!("multicast here, unicast at {}", first.address("unicast_peer"));
            Some(other.report(&rule::CLUSTER_TRANSPORT, "unicast_peer", message).help("give both peers, or neither"))
        }
        (Transport::Unicast { .. }, Transport::Multicast { .. }) => {
            let message = format!("unicast here, multicast at {}", first.address("unicast_peer"));
            Some(other.report(&rule::CLUSTER_TRANSPORT, "unicast_peer", message).help("give both peers, or neither"))
        }
        _ => None,
    }
}

/// Two nodes of one priority: the address decides who is master.
fn equal_priorities(group: &[Router<'_>]) -> Vec<Between> {
    let mut seen: BTreeMap<u8, &Router<'_>> = BTreeMap::new();
    let mut found = Vec::new();
    for router in group {
        let priority = router.instance.settings.priority;
        let Some(first) = seen.insert(priority.get(), router).filter(|first| first.member != router.member) else {
            continue;
        };
        let message = format!("priority {priority} here and at {}", first.address("priority"));
        let between = router.report(&rule::CLUSTER_PRIORITY, "priority", message);
        found.push(if priority.is_owner() {
            between.note("255 says that the addresses belong to this machine; only one can own them")
        } else {
            between
                .note("of two the one with the higher interface address becomes master")
                .help("give each node a priority of its own")
        });
    }
    found
}

/// Over IPv6 a node without `unicast_src_ip` sends from a global address if any of its peers has one, else from its
/// link-local address; who believes its peers only has to have one of that scope.
fn scopes(group: &[Router<'_>]) -> Vec<Between> {
    let mut found = Vec::new();
    for router in group.iter().filter(|router| router.instance.settings.family == Family::V6) {
        let Transport::Unicast { source: None, peers, .. } = &router.instance.transport else { continue };
        let link_local = peers.iter().all(|peer| is_link_local(peer.address));
        for other in group.iter().filter(|other| other.member != router.member) {
            let Transport::Unicast { peers, check_source: true, .. } = &other.instance.transport else { continue };
            if peers.is_empty() || peers.iter().any(|peer| is_link_local(peer.address) == link_local) {
                continue;
            }
            let (from, all) = if link_local { ("its link-local", "global") } else { ("a global", "link-local") };
            let message =
                format!("{} sends from {from} address, and every unicast_peer here is {all}", router.node.name);
            let between = other.report(&rule::CLUSTER_PEERS, "unicast_peer", message);
            found.push(between.help("give both nodes unicast_src_ip, and list these addresses"));
        }
    }
    found
}

const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Unicast nodes must list each other. Only nodes whose `unicast_src_ip` is written can be found in the lists.
fn peers(group: &[Router<'_>]) -> Vec<Between> {
    let mut found = Vec::new();
    for router in group {
        let Transport::Unicast { source: Some(source), .. } = router.instance.transport else { continue };
        for other in group.iter().filter(|other| other.member != router.member) {
            let Transport::Unicast { peers, source: other_source, .. } = &other.instance.transport else { continue };
            if peers.iter().any(|peer| peer.address == source) || *other_source == Some(source) {
                continue;
            }
            let message = format!("{} sends from {source}, which is no unicast_peer here", router.node.name);
            let between = other.report(&rule::CLUSTER_PEERS, "unicast_peer", message);
            found.push(
                between
                    .note(format!("its unicast_src_ip is at {}", router.address("unicast_src_ip")))
                    .help(format!("add {source} to unicast_peer")),
            );
        }
    }
    found
}
