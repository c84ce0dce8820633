//! `global`: what holds for the whole daemon.

use std::net::{IpAddr, Ipv4Addr};

use keepalived_config::model::{FlushOnStop, Global};

use super::below;
use crate::snmp::tree::{Column, Rows, Table, columns};
use crate::snmp::value::{Value, address, gauge, integer, kind, seconds, text, truth};
use crate::snmp::world::{Scene, place};

pub(super) const TABLES: &[Table] = &[
    Table { entry: below!(keepalived, 1), rows: Rows::Scalar, columns: SCALARS },
    Table { entry: below!(keepalived, 1, 3), rows: Rows::Scalar, columns: MAIL },
    Table {
        entry: below!(keepalived, 1, 3, 5, 1),
        rows: Rows::Places { levels: 1, first: 1, count: |scene, _| scene.config().global.mail.to.len() },
        columns: EMAIL,
    },
];

fn global<'a>(scene: &Scene<'a>, _: &[u32]) -> Option<&'a Global> {
    Some(&scene.config().global)
}

const SCALARS: &[Column] = columns! { global as global in scene;
    1 version = text(&scene.world.machine.version);
    2 routerId = text(&scene.world.snapshot.router_id);
    4 trapEnable = truth(global.snmp.traps);
    5 linkBeat = truth(!global.linkbeat_use_polling);
    6 lvsFlush = truth(global.balancing.flush);
    7 ipvs64BitStats = truth(true);
    8 netNamespace = text(global.net_namespace.as_deref().unwrap_or_default());
    9 dbus = truth(global.dbus.enabled);
    10 dynamicInterfaces = truth(global.dynamic_interfaces);
    11 lvsFlushOnStop = integer(match global.balancing.flush_on_stop {
        FlushOnStop::All => 1,
        FlushOnStop::No => 2,
        FlushOnStop::VirtualServers => 3,
    });
    12 v3ChecksumAsV2 = truth(global.routers.v3_checksum_as_v2);
};

/// The address of the mail server; a name, or none, is 0.0.0.0 as keepalived shows one that it does not have.
fn mail_server(global: &Global) -> Option<IpAddr> {
    global.mail.server.as_ref()?.host.parse().ok()
}

const MAIL: &[Column] = columns! { global as global in scene;
    // keepalived says ipv6 and four zeros if there is none
    1 smtpServerAddressType = mail_server(global).map_or(truth(false), kind);
    2 smtpServerAddress = address(mail_server(global).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    3 smtpServerTimeout = if global.mail.server.is_some() { seconds(global.mail.timeout) } else { gauge(0) };
    4 emailFrom = global.mail.from.as_ref().map(text);
    6 smtpServerPort = gauge(global.mail.server.as_ref().map_or(0, |server| server.port));
    7 smtpEmailFaults = truth(!global.mail.no_faults);
    8 smtpEmailSmtpAlert = alert(global.mail.alert);
    9 smtpEmailSmtpAlertVrrp = alert(global.mail.alert_vrrp);
    10 smtpEmailSmtpAlertChecker = alert(global.mail.alert_checker);
};

/// `on(1), off(2), unset(3)`
fn alert(alert: Option<bool>) -> Value {
    alert.map_or(integer(3), truth)
}

fn recipient<'a>(scene: &Scene<'a>, index: &[u32]) -> Option<&'a String> {
    scene.config().global.mail.to.get(place(*index.first()?)?)
}

const EMAIL: &[Column] = columns! { recipient as recipient in scene;
    2 emailAddress = text(recipient);
};
