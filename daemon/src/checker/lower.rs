//! From what the configuration says to what the balancer is told, and what each check has to do.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use keepalived_config::model::{
    Checker, Config, GroupEntry, RealServer, Schedule, Service, VirtualServer, VirtualServerGroup,
};
use keepalived_core::balance::{
    CheckId, CheckParams, Granularity, Pace, Params, Place, SchedulerFlags, ServerParams, ServiceEntry, ServiceId,
    ServiceKey, ServiceParams, Sorry, Steps,
};
use keepalived_core::vrrp::Family;

/// Addresses that all groups together may stand for: a prefix of IPv6 must not fill the memory.
const MOST_ADDRESSES: usize = 1 << 20;

/// What a check has to do. One that several virtual servers share on a server runs once for all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// How it asks.
    pub checker: Checker,
    /// The host that it asks for, for each url if it has any; `None` is the address.
    pub hosts: Vec<Option<String>>,
    /// The server that it is about.
    pub place: Place,
    /// `weight` of that server, which `misc_dynamic` replaces.
    pub weight: u32,
}

/// A configuration as the balancer wants it.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    pub(super) params: Params,
    /// One for each check.
    pub(super) tasks: Vec<Task>,
    /// What makes a check the same, for the next reload.
    identities: HashMap<u128, CheckId>,
    services: HashMap<Service, ServiceId>,
    /// By virtual server, real server and target: a check whose pace was changed.
    targets: HashMap<u128, CheckId>,
}

impl Lowered {
    /// What `config` says; `before` is what was in force.
    ///
    /// # Errors
    /// Groups that stand for more addresses than anybody has.
    pub(super) fn of(config: &Config, before: &Self) -> io::Result<Self> {
        let mut lowered = Self::default();
        lowered.params.drain = config.global.balancing.drain_timeout;
        let groups: HashMap<&str, &VirtualServerGroup> =
            config.virtual_server_groups.iter().map(|group| (group.name.as_str(), group)).collect();
        let mut addresses = 0_usize;
        for (number, server) in (0..).zip(&config.virtual_servers) {
            let keys = keys(&server.service, &groups)?;
            addresses = addresses.saturating_add(keys.len());
            if addresses > MOST_ADDRESSES {
                return Err(io::Error::other(format!("groups stand for more than {MOST_ADDRESSES} addresses")));
            }
            let servers = server.real_servers.iter().map(|real| lowered.server(server, real, before)).collect();
            let params = lower_service(server, keys, servers, before.services.get(&server.service).copied());
            lowered.params.services.push(params);
            lowered.services.insert(server.service.clone(), ServiceId(number));
        }
        Ok(lowered)
    }

    fn server(&mut self, server: &VirtualServer, real: &RealServer, before: &Self) -> ServerParams {
        let checks = real.checkers.iter().map(|checker| self.check(server, real, checker, before)).collect();
        let settings = &real.settings;
        ServerParams {
            place: place(real),
            weight: settings.weight,
            forwarding: settings.forwarding,
            upper_threshold: settings.upper_threshold,
            lower_threshold: settings.lower_threshold,
            inhibit: settings.inhibit_on_failure,
            checks,
        }
    }

    fn check(&mut self, server: &VirtualServer, real: &RealServer, checker: &Checker, before: &Self) -> CheckId {
        let hosts: Vec<Option<String>> = match checker {
            Checker::Http(check) => {
                check.urls.iter().map(|url| check.host(url, real, server).map(str::to_owned)).collect()
            }
            Checker::Grpc(check) => vec![check.host(real, server).map(str::to_owned)],
            _ => Vec::new(),
        };
        let task = Task { checker: checker.clone(), hosts, place: place(real), weight: real.settings.weight };
        let identity = identity(&task);
        if let Some(known) = self.identities.get(&identity) {
            return *known;
        }
        let id = CheckId(u32::try_from(self.tasks.len()).unwrap_or(u32::MAX));
        let target = target(server, &task);
        let was = before.identities.get(&identity).or_else(|| before.targets.get(&target)).copied();
        self.params.checks.push(CheckParams { pace: pace(checker), was });
        self.identities.insert(identity, id);
        self.targets.insert(target, id);
        self.tasks.push(task);
        id
    }
}

pub(super) fn place(real: &RealServer) -> Place {
    Place { address: real.address, port: real.port }
}

/// Everything that makes two checks one. A program may look at anything: it is shared on one server only, where its weight is
/// the same.
fn identity(task: &Task) -> u128 {
    let of_server = matches!(task.checker, Checker::Misc(_) | Checker::File(_) | Checker::Bfd(_));
    let server = of_server.then_some((task.place.address, task.place.port, task.weight));
    digest(&(&task.checker, &task.hosts, server))
}

/// What stays the same if only the pace of a check is changed.
fn target(server: &VirtualServer, task: &Task) -> u128 {
    let mut checker = task.checker.clone();
    if let Some(schedule) = checker.schedule_mut() {
        *schedule = Schedule::default();
    }
    digest(&(&server.service, task.place.address, task.place.port, checker, &task.hosts))
}

/// 128 bits that stand for `value`: a large site has tens of thousands, and what they stand for is in the configuration already.
fn digest(value: &impl serde::Serialize) -> u128 {
    // cannot fail: everything here is plain data
    let octets = postcard::to_stdvec(value).unwrap_or_default();
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(&octets);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

fn pace(checker: &Checker) -> Pace {
    let steps = match checker {
        Checker::Http(check) => Steps::Urls {
            count: u16::try_from(check.urls.len()).unwrap_or(u16::MAX),
            fast_recovery: check.fast_recovery,
        },
        Checker::File(_) | Checker::Bfd(_) => Steps::Told,
        _ => Steps::Single,
    };
    let alpha = matches!(checker, Checker::Bfd(check) if check.alpha);
    let schedule = checker.schedule().cloned().unwrap_or_default();
    Pace {
        delay_loop: schedule.delay_loop,
        delay_before_retry: schedule.delay_before_retry,
        warmup: schedule.warmup,
        retry: schedule.retry,
        alpha: schedule.alpha || alpha,
        steps,
    }
}

fn lower_service(
    server: &VirtualServer,
    keys: Vec<ServiceKey>,
    servers: Vec<ServerParams>,
    was: Option<ServiceId>,
) -> ServiceParams {
    let settings = &server.settings;
    let sorry = settings.sorry_server.as_ref().map(|sorry| Sorry {
        place: Place { address: sorry.address, port: sorry.port },
        forwarding: sorry.forwarding,
        inhibit: sorry.inhibit,
    });
    // as the kernel tells it: otherwise each look would find a difference
    let granularity = settings.persistence_granularity.filter(|granularity| match granularity {
        Granularity::V4(mask) => *mask != Ipv4Addr::BROADCAST,
        Granularity::V6(length) => *length < 128,
    });
    let service = ServiceEntry {
        scheduler: settings.scheduler,
        flags: SchedulerFlags { hashed: false, ..settings.flags },
        one_packet: settings.one_packet,
        persistence: settings.persistence_timeout,
        granularity,
        persistence_engine: settings.persistence_engine.clone(),
    };
    let (quorum, hysteresis, omega) = (settings.quorum, settings.hysteresis, settings.omega);
    ServiceParams { was, keys, service, quorum, hysteresis, omega, sorry, servers }
}

fn keys(service: &Service, groups: &HashMap<&str, &VirtualServerGroup>) -> io::Result<Vec<ServiceKey>> {
    Ok(match service {
        Service::Address { address, port, protocol } => {
            vec![ServiceKey::Address { address: *address, port: port.map_or(0, Into::into), protocol: *protocol }]
        }
        Service::Fwmark { mark, family } => vec![ServiceKey::Fwmark { mark: *mark, family: *family }],
        Service::Group { name, protocol, family } => {
            let mut keys = Vec::new();
            for entry in groups.get(name.as_str()).into_iter().flat_map(|group| &group.entries) {
                match *entry {
                    GroupEntry::Fwmark { mark, family: own } => {
                        keys.push(ServiceKey::Fwmark { mark, family: own.unwrap_or(*family) });
                    }
                    GroupEntry::Addresses { first, last, port } => {
                        let Some(protocol) = *protocol else { continue };
                        for address in range(first, last)? {
                            keys.push(ServiceKey::Address { address, port: port.map_or(0, Into::into), protocol });
                        }
                    }
                }
            }
            keys
        }
    })
}

fn range(first: IpAddr, last: IpAddr) -> io::Result<Vec<IpAddr>> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let count = number(last).saturating_sub(number(first));
    if count >= u128::try_from(MOST_ADDRESSES).unwrap_or(u128::MAX) {
        return Err(io::Error::other(format!("{first} to {last} are more than {MOST_ADDRESSES} addresses")));
    }
    let address = |number: u128| match Family::of(first) {
        Family::V4 => IpAddr::V4(u32::try_from(number).unwrap_or_default().into()),
        Family::V6 => IpAddr::V6(number.into()),
    };
    Ok((number(first)..=number(last)).map(address).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn a_service_is_as_the_kernel_tells_it() {
        let service = |address: &str, lines: &str| {
            let config = format!(
                "virtual_server {address} 80 {{\n lvs_sched sh\n hashed\n sh-port\n protocol TCP\n {lines}\n \
                 real_server {address} 8080 {{\n }}\n}}\n"
            );
            let lowered = Lowered::of(&from_text(&config), &Lowered::default()).unwrap();
            lowered.params.services.first().unwrap().service.clone()
        };
        for (address, whole, part, length) in [
            ("192.0.2.1", "255.255.255.255", "255.255.255.0", Granularity::V4([255, 255, 255, 0].into())),
            ("2001:db8::1", "128", "64", Granularity::V6(64)),
        ] {
            let whole = service(address, &format!("persistence_granularity {whole}"));
            assert_eq!((whole.granularity, whole.flags.hashed, whole.flags.flag_2), (None, false, true));
            assert!(whole.persistence.is_some());
            let part = service(address, &format!("persistence_granularity {part}"));
            assert_eq!(part.granularity, Some(length));
        }
    }
}
