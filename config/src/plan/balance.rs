//! The difference in load balancing.

use std::net::IpAddr;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use super::Change;
use super::pairing::{Pairing, pair};
use crate::model::{
    Checker, Config, DnsQuery, Origin, RealServer, RealServerSettings, Service, ServiceSettings, VirtualServer,
};

/// What becomes of something that has no parts of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Edit<T> {
    /// It goes.
    Removed(T),
    /// It stays what it is, and looks different.
    Changed {
        /// What it was.
        old: T,
        /// What it is from now on.
        new: T,
    },
    /// It comes.
    Added(T),
}

/// What becomes of a virtual server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VirtualServerEdit {
    /// It goes, with all that is in it.
    Removed(VirtualServer),
    /// Something about it or in it changes.
    Changed(VirtualServerChange),
    /// It comes, with all that is in it.
    Added(VirtualServer),
}

/// What changes about a virtual server that stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VirtualServerChange {
    /// Which; the same before and after.
    pub service: Service,
    /// Old and new, if they differ.
    pub settings: Option<Box<(ServiceSettings, ServiceSettings)>>,
    /// Removed ones come first, then changed ones, then new ones.
    pub real_servers: Vec<RealServerEdit>,
}

/// What becomes of a real server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RealServerEdit {
    /// It goes.
    Removed(RealServer),
    /// Something about it or its checks changes.
    Changed(RealServerChange),
    /// It comes.
    Added(RealServer),
}

/// What changes about a real server that stays. What is not named here keeps its state: whether it is up, its checks
/// with their verdicts and retries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RealServerChange {
    /// With the port, which one; the same before and after.
    pub address: IpAddr,
    /// See `address`.
    pub port: Option<NonZeroU16>,
    /// Old and new, if they differ.
    pub settings: Option<Box<(RealServerSettings, RealServerSettings)>>,
    /// Removed ones come first, then changed ones, then new ones. A changed one looks at the same thing in another way:
    /// its verdict still holds.
    pub checkers: Vec<Edit<Checker>>,
}

/// All changes in the order in which to make them: first what others refer to.
pub(super) fn changes(old: &Config, new: &Config, out: &mut Vec<Change>) {
    let sessions = pair(&old.bfd_instances, &new.bfd_instances, |instance| (instance.neighbor, instance.source));
    out.extend(edits(sessions).map(Box::new).map(Change::BfdInstance));
    if old.ssl != new.ssl {
        out.push(Change::SslChanged);
    }
    let groups = pair(&old.virtual_server_groups, &new.virtual_server_groups, |group| &group.name);
    out.extend(edits(groups).map(Box::new).map(Change::VirtualServerGroup));
    let servers = pair(&old.virtual_servers, &new.virtual_servers, |server| &server.service);
    let removed = servers.removed.into_iter().cloned().map(VirtualServerEdit::Removed);
    let kept = servers.kept.into_iter().filter_map(|(old, new)| server(old, new)).map(VirtualServerEdit::Changed);
    let added = servers.added.into_iter().cloned().map(VirtualServerEdit::Added);
    out.extend(removed.chain(kept).chain(added).map(Box::new).map(Change::VirtualServer));
}

fn server(old: &VirtualServer, new: &VirtualServer) -> Option<VirtualServerChange> {
    let servers = pair(&old.real_servers, &new.real_servers, |real| (real.address, real.port));
    let removed = servers.removed.into_iter().cloned().map(RealServerEdit::Removed);
    let kept = servers.kept.into_iter().filter_map(|(old, new)| real_server(old, new)).map(RealServerEdit::Changed);
    let added = servers.added.into_iter().cloned().map(RealServerEdit::Added);
    let real_servers: Vec<RealServerEdit> = removed.chain(kept).chain(added).collect();
    let settings = both(&old.settings, &new.settings);
    (settings.is_some() || !real_servers.is_empty()).then(|| VirtualServerChange {
        service: new.service.clone(),
        settings,
        real_servers,
    })
}

fn real_server(old: &RealServer, new: &RealServer) -> Option<RealServerChange> {
    let settings = both(&old.settings, &new.settings);
    // most are the same from beginning to end, and need no keys
    let checkers: Vec<Edit<Checker>> = if old.checkers == new.checkers {
        Vec::new()
    } else {
        edits(pair(&old.checkers, &new.checkers, Subject::of)).collect()
    };
    let RealServer { address, port, .. } = *new;
    (settings.is_some() || !checkers.is_empty()).then_some(RealServerChange { address, port, settings, checkers })
}

fn both<T: Clone + PartialEq>(old: &T, new: &T) -> Option<Box<(T, T)>> {
    (old != new).then(|| Box::new((old.clone(), new.clone())))
}

fn edits<'a, T: Clone + PartialEq>(pairing: Pairing<'a, T>) -> impl Iterator<Item = Edit<T>> + use<'a, T> {
    let removed = pairing.removed.into_iter().cloned().map(Edit::Removed);
    let kept = pairing.kept.into_iter().filter(|(old, new)| old != new);
    let changed = kept.map(|(old, new)| Edit::Changed { old: old.clone(), new: new.clone() });
    removed.chain(changed).chain(pairing.added.into_iter().cloned().map(Edit::Added))
}

/// What a check looks at: two checks of one server with the same subject are the same one, however often they run.
#[derive(PartialEq, Eq, Hash)]
struct Subject<'a> {
    keyword: &'static str,
    target: Option<(IpAddr, Option<NonZeroU16>, Option<&'a Origin>)>,
    query: Option<DnsQuery>,
    /// Paths, a command, a name: what else tells one tracker from another.
    words: Vec<&'a str>,
}

impl<'a> Subject<'a> {
    fn of(checker: &'a Checker) -> Self {
        let endpoint = checker.endpoint();
        let target = endpoint.map(|endpoint| (endpoint.address, endpoint.port, endpoint.origin.as_deref()));
        let query = match checker {
            Checker::Dns(check) => Some(check.query),
            _ => None,
        };
        let words = match checker {
            Checker::Http(check) => check.urls.iter().map(|url| url.path.as_str()).collect(),
            Checker::Grpc(check) => vec![check.service.as_str()],
            Checker::Dns(check) => vec![check.name.as_str()],
            Checker::Misc(check) => check.script.argv.iter().map(String::as_str).collect(),
            Checker::File(check) => vec![check.track_file.as_str()],
            Checker::Bfd(check) => vec![check.instance.as_str()],
            Checker::Tcp(_) | Checker::Ping(_) | Checker::Udp(_) | Checker::Smtp(_) => Vec::new(),
        };
        Self { keyword: checker.keyword(), target, query, words }
    }
}
