//! `vrrp_instance` and `vrrp_sync_group`.

use keepalived_config::model::{Notify, Script, SyncGroup, Transport};
use keepalived_core::vrrp::{Authentication, ChecksumForm, InitialState, Preempt, Priority, State, Version};

use super::{below, command};
use crate::snmp::Write;
use crate::snmp::tree::{Change, Column, ErrorStatus, Rows, Set, Table, columns};
use crate::snmp::value::{Value, address, gauge, integer, kind, seconds, text, truth};
use crate::snmp::world::{InstanceRow, Scene, group_state, place, state_number};

pub(super) const TABLES: &[Table] = &[
    Table {
        entry: below!(keepalived, 2, 1, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().sync_groups.len() },
        columns: GROUPS,
    },
    Table {
        entry: below!(keepalived, 2, 2, 1),
        rows: Rows::Places {
            levels: 2,
            first: 1,
            count: |scene, index| match index {
                [] => scene.config().sync_groups.len(),
                index => group(scene, index).map_or(0, |group| group.members.len()),
            },
        },
        columns: MEMBERS,
    },
    Table {
        entry: below!(keepalived, 2, 3, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().instances.len() },
        columns: INSTANCES,
    },
];

fn group<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a SyncGroup> {
    scene.config().sync_groups.get(place(*index.first()?)?)
}

fn member<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a String> {
    group(scene, index)?.members.get(place(*index.get(1)?)?)
}

pub(super) fn instance<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<InstanceRow<'a>> {
    scene.instance_at(place(*index.first()?)?)
}

fn script(notify: Option<&Notify>, which: fn(&Notify) -> &Option<Script>) -> Option<Value> {
    command(notify.and_then(|notify| which(notify).as_ref()))
}

/// Whether anything is run.
fn runs(notify: Option<&Notify>) -> bool {
    notify.is_some_and(|notify| {
        let all = [
            &notify.backup,
            &notify.master,
            &notify.fault,
            &notify.stop,
            &notify.deleted,
            &notify.master_rx_lower_priority,
            &notify.any,
        ];
        all.into_iter().any(Option::is_some)
    })
}

const GROUPS: &[Column] = columns! { group as group in scene;
    2 vrrpSyncGroupName = text(&group.name);
    3 vrrpSyncGroupState = integer(state_number(group_state(scene.world, group).unwrap_or(State::Init)));
    4 vrrpSyncGroupSmtpAlert = truth(group.mail);
    5 vrrpSyncGroupNotifyExec = truth(runs(group.notify.as_deref()));
    6 vrrpSyncGroupScriptMaster = script(group.notify.as_deref(), |notify| &notify.master);
    7 vrrpSyncGroupScriptBackup = script(group.notify.as_deref(), |notify| &notify.backup);
    8 vrrpSyncGroupScriptFault = script(group.notify.as_deref(), |notify| &notify.fault);
    9 vrrpSyncGroupScript = script(group.notify.as_deref(), |notify| &notify.any);
    10 vrrpSyncGroupTrackingWeight = truth(group.tracking_weight);
    11 vrrpSyncGroupScriptStop = script(group.notify.as_deref(), |notify| &notify.stop);
};

const MEMBERS: &[Column] = columns! { member as member in scene;
    2 vrrpSyncGroupMemberName = text(member);
};

const INSTANCES: &[Column] = columns! { instance as row in scene;
    2 vrrpInstanceName = text(&row.config.name);
    3 vrrpInstanceVirtualRouterId = gauge(row.settings().vrid.get());
    4 vrrpInstanceState = integer(state_number(row.state()));
    5 vrrpInstanceInitialState = initial(row);
    6 vrrpInstanceWantedState = integer(state_number(match row.state() {
        State::Master => State::Master,
        State::Init | State::Backup | State::Fault | State::Stopped => State::Backup,
    }));
    7 vrrpInstanceBasePriority [Set::Yes(set_priority)] = integer(row.settings().priority.get());
    8 vrrpInstanceEffectivePriority =
        integer(row.view.map_or(row.config.settings.priority, |view| view.effective_priority).get());
    9 vrrpInstanceVipsStatus = truth(row.view.is_some_and(|view| view.addresses.iter().any(|address| address.set)));
    10 vrrpInstancePrimaryInterface = scene.interface(row.config).map(|name| text(name.as_bytes()));
    11 vrrpInstanceTrackPrimaryIf =
        truth(row.config.tracks.as_ref().is_some_and(|tracks| !tracks.interfaces.is_empty()));
    12 vrrpInstanceAdvertisementsInt = match row.settings().version {
        Version::V2 => seconds(row.settings().interval.duration()),
        Version::V3 => gauge(row.settings().interval.centis().count()),
    };
    13 vrrpInstancePreempt [Set::Yes(set_preempt)] = truth(row.settings().preempt != Preempt::No);
    14 vrrpInstancePreemptDelay = match row.settings().preempt {
        Preempt::After(delay) => seconds(delay),
        Preempt::Yes | Preempt::No => gauge(0),
    };
    15 vrrpInstanceAuthType = integer(match (row.settings().version, &row.config.authentication) {
        (Version::V2, Authentication::Password(_)) => 1,
        (Version::V2, Authentication::Header(_)) => 2,
        (Version::V2, Authentication::None | Authentication::Hmac(_)) | (Version::V3, _) => 0,
    });
    16 vrrpInstanceLvsSyncDaemon = truth(sync_interface(scene, row).is_some());
    17 vrrpInstanceLvsSyncInterface = sync_interface(scene, row);
    18 vrrpInstanceSyncGroup = scene
        .config()
        .sync_groups
        .iter()
        .find(|group| group.members.contains(&row.config.name))
        .map(|group| text(&group.name));
    19 vrrpInstanceGarpDelay = seconds(row.settings().garp.delay);
    20 vrrpInstanceSmtpAlert = truth(row.config.mail);
    21 vrrpInstanceNotifyExec = truth(runs(row.config.notify.as_deref()));
    22 vrrpInstanceScriptMaster = script(row.config.notify.as_deref(), |notify| &notify.master);
    23 vrrpInstanceScriptBackup = script(row.config.notify.as_deref(), |notify| &notify.backup);
    24 vrrpInstanceScriptFault = script(row.config.notify.as_deref(), |notify| &notify.fault);
    25 vrrpInstanceScriptStop = script(row.config.notify.as_deref(), |notify| &notify.stop);
    26 vrrpInstanceScript = script(row.config.notify.as_deref(), |notify| &notify.any);
    27 vrrpInstanceAccept [Set::Yes(set_accept)] = match row.settings().version {
        Version::V2 => integer(0),
        Version::V3 => truth(row.config.accept),
    };
    28 vrrpInstancePromoteSecondaries = truth(row.config.promote_secondaries);
    29 vrrpInstanceUseLinkbeat = truth(row.config.linkbeat);
    30 vrrpInstanceVrrpVersion = integer(row.settings().version.number());
    31 vrrpInstanceScriptMstrRxLowerPri =
        script(row.config.notify.as_deref(), |notify| &notify.master_rx_lower_priority);
    32 vrrpInstanceScriptDeleted = script(row.config.notify.as_deref(), |notify| &notify.deleted);
    33 vrrpInstanceNotifyDeleted = truth(row.config.notify.as_ref().is_some_and(|notify| notify.says_deleted));
    34 vrrpInstanceMulticastAddressType = group_of(row).map(kind);
    35 vrrpInstanceMulticastAddress = group_of(row).map(address);
    36 vrrpInstanceV3ChecksumAsV2 = truth(row.settings().checksum == ChecksumForm::Plain);
};

pub(in crate::snmp) fn initial(row: InstanceRow<'_>) -> Value {
    integer(state_number(match row.settings().initial {
        InitialState::Master => State::Master,
        InitialState::Backup => State::Backup,
    }))
}

fn group_of(row: InstanceRow<'_>) -> Option<std::net::IpAddr> {
    match row.config.transport {
        Transport::Multicast { group, .. } => Some(group),
        Transport::Unicast { .. } => None,
    }
}

/// Where IPVS's exchange of connections is, if this instance decides about it.
fn sync_interface(scene: &Scene<'_>, row: InstanceRow<'_>) -> Option<Value> {
    let daemon = scene.config().global.balancing.sync_daemon.as_ref()?;
    (daemon.instance.as_ref() == Some(&row.config.name)).then(|| text(daemon.interface.as_bytes()))
}

fn set_priority(scene: &Scene<'_>, index: &[u32], value: &Value) -> Result<Change, ErrorStatus> {
    let row = instance(scene, index).ok_or(ErrorStatus::NotWritable)?;
    let Value::Integer(number) = value else { return Err(ErrorStatus::WrongType) };
    let priority = u8::try_from(*number).ok().and_then(Priority::new).ok_or(ErrorStatus::WrongValue)?;
    // who owns the addresses is configured
    if [priority, row.settings().priority].contains(&Priority::OWNER) {
        return Err(ErrorStatus::WrongValue);
    }
    let write = |priority| Write::BasePriority { instance: row.config.name.clone(), priority };
    Ok(Change { write: write(priority), undo: write(row.settings().priority) })
}

fn set_preempt(scene: &Scene<'_>, index: &[u32], value: &Value) -> Result<Change, ErrorStatus> {
    let row = instance(scene, index).ok_or(ErrorStatus::NotWritable)?;
    let Value::Integer(number) = value else { return Err(ErrorStatus::WrongType) };
    let preempt = match number {
        1 => true,
        2 => false,
        _ => return Err(ErrorStatus::WrongValue),
    };
    let write = |preempt| Write::Preempt { instance: row.config.name.clone(), preempt };
    Ok(Change { write: write(preempt), undo: write(row.settings().preempt != Preempt::No) })
}

/// keepalived can be built to change it. As it is, it says noAccess, and has nothing to write in version 2.
fn set_accept(scene: &Scene<'_>, index: &[u32], _: &Value) -> Result<Change, ErrorStatus> {
    let row = instance(scene, index).ok_or(ErrorStatus::NotWritable)?;
    Err(match row.settings().version {
        Version::V2 => ErrorStatus::NotWritable,
        Version::V3 => ErrorStatus::NoAccess,
    })
}
