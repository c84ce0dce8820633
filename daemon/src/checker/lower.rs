//! Turns a configuration into the parameters of the balancer and the spots of its checks.

use std::collections::{HashMap, HashSet};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use keepalived_checks::total;
use keepalived_config::model::{
    Checker, Config, MOST_SERVICES, RealServer, Service, VirtualServer, VirtualServerGroup,
};
use keepalived_core::balance::{
    CheckId, CheckParams, Few, Pace, Params, Place, SchedulerFlags, ServerParams, ServiceEntry, ServiceId, ServiceKey,
    ServiceParams, Sorry, Steps,
};

use super::identity::{Digest, Identities};
use super::marks::{self, Allotted};
use super::task::{Spot, Task, place};
use crate::programs;

/// How long after its own deadline a step counts as lost.
const MORE: Duration = Duration::from_secs(30);

/// A configuration in the form of the balancer.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    pub(super) params: Params,
    /// Where each check is in the configuration.
    pub(super) spots: Vec<Spot>,
    /// The identity of each check, for the next reload.
    identities: Identities,
    /// The marks of groups whose packets are marked.
    pub(super) marks: Allotted,
}

/// The configuration that was in force, and its lowered form.
pub(super) type Before<'a> = (&'a Config, &'a Lowered);

impl Lowered {
    /// Lowers `config`; `before` was in force until now. Groups that are in `marks` are services of their marks.
    ///
    /// # Errors
    /// Groups have too many addresses.
    pub(super) fn of(config: &Config, before: Option<Before<'_>>, marks: Allotted) -> io::Result<Self> {
        let mut lowered = Self { marks, ..Self::default() };
        lowered.params.drain = config.global.balancing.drain_timeout;
        let groups: HashMap<&str, &VirtualServerGroup> =
            config.virtual_server_groups.iter().map(|group| (group.name.as_str(), group)).collect();
        let old_servers = before.into_iter().flat_map(|(config, _)| &config.virtual_servers);
        let old_services: HashMap<&Service, ServiceId> =
            (0..).zip(old_servers).map(|(number, server)| (&server.service, ServiceId(number))).collect();
        let servers = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
        let mut checks = Checks::new(before, servers.map(|server| server.checkers.len()).sum());
        lowered.params.services.reserve_exact(config.virtual_servers.len());
        let mut services = 0;
        for (number, server) in (0..).zip(&config.virtual_servers) {
            let group = |name: &str| groups.get(name).copied();
            let keys = marks::keys(server, group, &lowered.marks);
            let keys = keys.or_else(|| server.service.keys(group, MOST_SERVICES - services));
            let keys = keys.ok_or_else(|| io::Error::other(format!("there are more than {MOST_SERVICES} services")))?;
            services += keys.len();
            let servers = (0..).zip(&server.real_servers).map(|(place, real)| {
                let spots =
                    (0..).zip(&real.checkers).map(|(at, _)| Spot { service: number, server: place, checker: at });
                lower_server(real, spots.filter_map(|spot| checks.find(config, spot)).collect())
            });
            let servers = servers.collect();
            let was = old_services.get(&server.service).copied();
            lowered.params.services.push(lower_service(server, keys, servers, was));
        }
        checks.trace(config);
        let Checks { params, mut spots, mut identities, .. } = checks;
        lowered.params.checks = params;
        spots.shrink_to_fit();
        identities.shrink();
        Ok(Self { spots, identities, ..lowered })
    }
}

/// All checks of a configuration while it is lowered.
struct Checks<'a> {
    before: Option<Before<'a>>,
    paces: HashSet<Rc<Pace>>,
    params: Vec<CheckParams>,
    spots: Vec<Spot>,
    identities: Identities,
    /// Spots of checks that were not in the configuration before in the same form.
    untraced: Vec<(CheckId, Spot)>,
    digest: Digest,
}

impl<'a> Checks<'a> {
    /// An empty list with room for so many.
    fn new(before: Option<Before<'a>>, count: usize) -> Self {
        Self {
            before,
            paces: HashSet::new(),
            params: Vec::with_capacity(count),
            spots: Vec::with_capacity(count),
            identities: Identities::with_capacity(count),
            untraced: Vec::new(),
            digest: Digest::default(),
        }
    }

    /// The check at `spot`, or that of the same identity.
    fn find(&mut self, config: &Config, spot: Spot) -> Option<CheckId> {
        let task = Task::at(config, spot)?;
        let identity = self.digest.identity(&task);
        let (id, is_known) = self.identities.number(identity);
        if !is_known {
            let pace = self.shared(pace(task.checker));
            let was = self.before.and_then(|(_, lowered)| lowered.identities.find(&identity));
            self.params.push(CheckParams { pace, alpha: alpha(task.checker), was });
            self.spots.push(spot);
        }
        if self.before.is_some() && self.params.get(id.index()).is_some_and(|params| params.was.is_none()) {
            self.untraced.push((id, spot));
        }
        Some(id)
    }

    fn shared(&mut self, pace: Pace) -> Rc<Pace> {
        if let Some(known) = self.paces.get(&pace) {
            return Rc::clone(known);
        }
        let pace = Rc::new(pace);
        self.paces.insert(Rc::clone(&pace));
        pace
    }

    /// Finds checks that changed in their pace only. One that several virtual servers share goes on as that of the first
    /// one; one of a server with several checks of one target goes on as the first of them.
    fn trace(&mut self, config: &Config) {
        let Some((old_config, old)) = self.before else { return };
        let untraced = std::mem::take(&mut self.untraced);
        let service = |spot: &Spot| Task::at(config, *spot).map(|task| &task.service.service);
        let concerned: HashSet<&Service> = untraced.iter().filter_map(|(_, spot)| service(spot)).collect();
        let mut targets = HashMap::new();
        for service in old_config.virtual_servers.iter().filter(|service| concerned.contains(&service.service)) {
            let servers = service.real_servers.iter();
            let tasks =
                servers.flat_map(|server| server.checkers.iter().map(move |checker| Task { service, server, checker }));
            for task in tasks {
                if let Some(id) = old.identities.find(&self.digest.identity(&task)) {
                    targets.entry(self.digest.target(&task)).or_insert(id);
                }
            }
        }
        for (id, spot) in untraced {
            if let Some(params) = self.params.get_mut(id.index())
                && params.was.is_none()
            {
                params.was = Task::at(config, spot).and_then(|task| targets.get(&self.digest.target(&task)).copied());
            }
        }
    }
}

fn lower_server(real: &RealServer, checks: Few<CheckId>) -> ServerParams {
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

fn pace(checker: &Checker) -> Pace {
    let steps = match checker {
        Checker::Http(check) => Steps::Urls {
            count: u16::try_from(check.urls.len()).unwrap_or(u16::MAX),
            fast_recovery: check.fast_recovery,
        },
        Checker::File(_) | Checker::Bfd(_) => Steps::Told,
        _ => Steps::Single,
    };
    let schedule = checker.schedule().cloned().unwrap_or_default();
    Pace {
        delay_loop: schedule.delay_loop.get(),
        delay_before_retry: schedule.delay_before_retry.get(),
        warmup: schedule.warmup.get(),
        retry: schedule.retry,
        steps,
        limit: limit(checker),
    }
}

/// How long a step may take: its own deadline, and some time more.
fn limit(checker: &Checker) -> Duration {
    let own = match checker {
        Checker::Misc(check) => programs::patience(check.timeout),
        _ => checker.endpoint().map_or(Duration::ZERO, |endpoint| total(endpoint.connect_timeout.get())),
    };
    own.saturating_add(MORE)
}

fn alpha(checker: &Checker) -> bool {
    checker.schedule().is_some_and(|schedule| schedule.alpha) || matches!(checker, Checker::Bfd(check) if check.alpha)
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
    // in the form that the kernel reports; otherwise each look would find a difference
    let granularity = settings.persistence_granularity.filter(|granularity| !granularity.is_whole());
    let service = ServiceEntry {
        scheduler: settings.scheduler,
        flags: SchedulerFlags { hashed: false, ..settings.flags },
        one_packet: settings.one_packet,
        persistence: settings.persistence_timeout,
        granularity,
        persistence_engine: settings.persistence_engine.clone(),
    };
    let (quorum, hysteresis, omega) = (settings.quorum, settings.hysteresis, settings.omega);
    ServiceParams { was, keys, service, quorum, hysteresis, omega, serves: false, sorry, servers, leaving: Vec::new() }
}

#[cfg(test)]
mod tests {
    use keepalived_core::balance::Granularity;

    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn a_service_is_as_the_kernel_tells_it() {
        let service = |address: &str, lines: &str| {
            let config = format!(
                "virtual_server {address} 80 {{\n lvs_sched sh\n hashed\n sh-port\n protocol TCP\n {lines}\n \
                 real_server {address} 8080 {{\n }}\n}}\n"
            );
            let lowered = Lowered::of(&from_text(&config), None, Allotted::new()).unwrap();
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
