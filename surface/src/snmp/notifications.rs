//! Traps: what happened, as the variables of a notification. The variables, and when keepalived sends which, are those of 2.4.3.

use std::net::{IpAddr, Ipv4Addr};

use keepalived_config::model::{Protocol, Service};
use keepalived_core::vrrp::{Cause, State};
use keepalived_state::{Event, Record, ServiceView, Subject};

use super::oid::Oid;
use super::tables::{below, instances, rfc2787, rfc6527, services};
use super::tree::Trees;
use super::value::{Value, VarBind, address, gauge, integer, kind, text, truth};
use super::world::{InstanceRow, Scene, World, state_number};

/// A notification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trap {
    /// `snmpTrapOID.0`
    pub kind: Oid,
    /// What it says.
    pub binds: Vec<VarBind>,
}

/// `vrrpTrapAuthErrorType`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthenticationError {
    /// There is no such type of authentication.
    InvalidType,
    /// It is another one than ours.
    TypeMismatch,
    /// The password or the digest is wrong.
    Failure,
}

const TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

impl Trap {
    fn new(kind: &[u32]) -> Self {
        Self { kind: Oid::new(kind), binds: Vec::new() }
    }

    fn with(mut self, name: &[u32], value: Value) -> Self {
        self.binds.push(VarBind { name: Oid::new(name), value });
        self
    }

    fn with_index(mut self, name: &[u32], index: &[u32], value: Value) -> Self {
        self.binds.push(VarBind { name: Oid::new(name).with(index), value });
        self
    }

    /// keepalived ends each of its own with this.
    fn signed(self, world: World<'_>) -> Self {
        self.with(below!(keepalived, 1, 2, 0), text(&world.snapshot.router_id))
    }

    /// The variables of a `Notify` PDU.
    pub(super) fn variables(self) -> Vec<VarBind> {
        let kind = VarBind { name: Oid::new(TRAP_OID), value: Value::ObjectIdentifier(self.kind) };
        std::iter::once(kind).chain(self.binds).collect()
    }
}

/// `init(0), backup(1), master(2), fault(3), unknown(4), stop(5), deleted(6)`, which only traps say.
fn trap_state(state: State, cause: Option<&Cause>) -> Value {
    integer(match (state, cause) {
        (_, Some(Cause::Removed)) => 6,
        (State::Stopped, _) => 5,
        (state, _) => state_number(state),
    })
}

/// `vrrpv3StatisticsNewMasterReason`: `notMaster(0), priority(1), preempted(2), masterNoResponse(3)`.
pub(super) const fn master_reason(cause: &Cause) -> i32 {
    match cause {
        Cause::MasterLeft { .. } => 1,
        Cause::Preempted { .. } | Cause::OwnerStarted => 2,
        _ => 3,
    }
}

/// What a record is sent as.
pub(super) fn of_record(scene: &Scene<'_>, trees: Trees, record: &Record) -> Vec<Trap> {
    match (&record.subject, &record.event) {
        (Subject::Instance(name), Event::Transition(transition)) => {
            let Some(row) = scene.instance_named(name) else { return Vec::new() };
            let mut traps = Vec::new();
            if trees.vrrp {
                traps.push(instance(scene, row, transition.to, &transition.cause));
            }
            if transition.to == State::Master {
                traps.extend(new_master(scene, trees, row));
            }
            traps
        }
        (Subject::RealServer { server, of }, event) if trees.checker => {
            let up = match event {
                Event::Up => true,
                Event::Down(_) => false,
                _ => return Vec::new(),
            };
            real_server(scene, server, of, up).into_iter().collect()
        }
        (Subject::VirtualServer(name), event) if trees.checker => {
            let gained = match event {
                Event::QuorumGained(_) => true,
                Event::QuorumLost(_) => false,
                _ => return Vec::new(),
            };
            quorum(scene, name, gained).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn instance(scene: &Scene<'_>, row: InstanceRow<'_>, state: State, cause: &Cause) -> Trap {
    Trap::new(below!(keepalived, 2, 10, 0, 2))
        .with(below!(keepalived, 2, 3, 1, 2), text(&row.config.name))
        .with(below!(keepalived, 2, 3, 1, 4), trap_state(state, Some(cause)))
        .with(below!(keepalived, 2, 3, 1, 5), instances::initial(row))
        .signed(scene.world)
}

/// A sync group has another state.
pub(super) fn group(world: World<'_>, name: &str, state: State) -> Trap {
    Trap::new(below!(keepalived, 2, 10, 0, 1))
        .with(below!(keepalived, 2, 1, 1, 2), text(name))
        .with(below!(keepalived, 2, 1, 1, 3), trap_state(state, None))
        .signed(world)
}

/// The notifications of both RFCs: the address is the one that adverts leave from.
fn new_master(scene: &Scene<'_>, trees: Trees, row: InstanceRow<'_>) -> Vec<Trap> {
    let own = row.view.and_then(|view| view.source).or_else(|| scene.primary(row));
    let mut traps = Vec::new();
    if trees.rfc2787 && rfc2787::suits(row) {
        let own = match own {
            Some(IpAddr::V4(own)) => own,
            Some(IpAddr::V6(_)) | None => Ipv4Addr::UNSPECIFIED,
        };
        let index = rfc2787::index_of(scene, row);
        let trap = Trap::new(below!(mib2, 68, 0, 1));
        traps.push(trap.with_index(below!(mib2, 68, 1, 3, 1, 7), &index, Value::IpAddress(own)));
    }
    if trees.rfc6527 && rfc6527::suits(row) {
        let index = rfc6527::index_of(scene, row);
        let own = address(own.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let reason = integer(scene.memory.master_reason(&row.config.name));
        let trap = Trap::new(below!(mib2, 207, 0, 1)).with_index(below!(mib2, 207, 1, 1, 1, 1, 3), &index, own);
        traps.push(trap.with_index(below!(mib2, 207, 1, 2, 5, 1, 2), &index, reason));
    }
    traps
}

/// An advert of an instance of version 2 was refused because of its authentication.
pub(super) fn authentication(
    scene: &Scene<'_>,
    trees: Trees,
    row: InstanceRow<'_>,
    (source, error): (Ipv4Addr, AuthenticationError),
) -> Option<Trap> {
    let error = match error {
        AuthenticationError::InvalidType => 1,
        AuthenticationError::TypeMismatch => 2,
        AuthenticationError::Failure => 3,
    };
    let index = rfc2787::index_of(scene, row);
    (trees.rfc2787 && rfc2787::suits(row)).then(|| {
        Trap::new(below!(mib2, 68, 0, 2))
            .with_index(below!(mib2, 68, 1, 5), &index, Value::IpAddress(source))
            .with_index(below!(mib2, 68, 1, 6), &index, integer(error))
    })
}

/// An advert was refused: `vrrpv3StatisticsProtoErrReason`.
pub(super) fn protocol(scene: &Scene<'_>, trees: Trees, row: InstanceRow<'_>, reason: i32) -> Option<Trap> {
    let index = rfc6527::index_of(scene, row);
    let name = below!(mib2, 207, 1, 2, 5, 1, 6);
    let trap = || Trap::new(below!(mib2, 207, 0, 2)).with_index(name, &index, integer(reason));
    (trees.rfc6527 && rfc6527::suits(row)).then(trap)
}

/// The virtual server with a name, as the checker process calls it.
fn named<'a>(scene: &Scene<'a>, name: &str) -> Option<(&'a ServiceView, &'a keepalived_config::model::VirtualServer)> {
    let services = &scene.world.snapshot.balance.services;
    let place = services.iter().position(|service| service.name == name)?;
    Some((services.get(place)?, scene.world.config.virtual_servers.get(place)?))
}

/// Which virtual server it is.
fn describe(trap: Trap, service: &Service) -> Trap {
    let trap = trap.with(below!(keepalived, 3, 3, 1, 2), services::service_type(service));
    let (trap, is_tcp) = match service {
        Service::Group { name, protocol, .. } => {
            (trap.with(below!(keepalived, 3, 3, 1, 3), text(name)), *protocol == Some(Protocol::Tcp))
        }
        Service::Fwmark { mark, .. } => (trap.with(below!(keepalived, 3, 3, 1, 4), gauge(*mark)), false),
        Service::Address { address: own, port, protocol } => (
            trap.with(below!(keepalived, 3, 3, 1, 5), kind(*own))
                .with(below!(keepalived, 3, 3, 1, 6), address(*own))
                .with(below!(keepalived, 3, 3, 1, 7), gauge(port.map_or(0, std::num::NonZeroU16::get))),
            *protocol == Protocol::Tcp,
        ),
    };
    // tcp(1), and udp(2) for everything else, as keepalived has it
    trap.with(below!(keepalived, 3, 3, 1, 8), truth(is_tcp))
}

fn real_server(scene: &Scene<'_>, server: &str, of: &str, up: bool) -> Option<Trap> {
    let (view, service) = named(scene, of)?;
    let place = view.servers.iter().position(|view| view.name == server)?;
    let config = service.real_servers.get(place)?;
    // the view may be older than the record
    let others = view.servers.iter().enumerate().filter(|(other, view)| *other != place && view.up).count();
    let trap = Trap::new(below!(keepalived, 3, 5, 0, 1))
        .with(below!(keepalived, 3, 4, 1, 3), kind(config.address))
        .with(below!(keepalived, 3, 4, 1, 4), address(config.address))
        .with(below!(keepalived, 3, 4, 1, 5), gauge(config.port.map_or(0, std::num::NonZeroU16::get)))
        .with(below!(keepalived, 3, 4, 1, 6), truth(up));
    let trap = describe(trap, &service.service)
        .with(below!(keepalived, 3, 3, 1, 21), gauge(others.saturating_add(usize::from(up))))
        .with(below!(keepalived, 3, 3, 1, 20), gauge(service.real_servers.len()));
    Some(trap.signed(scene.world))
}

fn quorum(scene: &Scene<'_>, name: &str, gained: bool) -> Option<Trap> {
    let (view, service) = named(scene, name)?;
    let trap = describe(Trap::new(below!(keepalived, 3, 5, 0, 2)), &service.service)
        .with(below!(keepalived, 3, 3, 1, 23), truth(gained))
        .with(below!(keepalived, 3, 3, 1, 22), gauge(service.settings.quorum))
        .with(below!(keepalived, 3, 3, 1, 21), gauge(services::up(view)))
        .with(below!(keepalived, 3, 3, 1, 20), gauge(service.real_servers.len()));
    Some(trap.signed(scene.world))
}
