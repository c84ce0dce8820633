//! The tables: for each object its number, its name, and where its value comes from.
//!
//! Numbers, names and types are those of KEEPALIVED-MIB, VRRP-MIB (RFC 2787) and VRRPV3-MIB (RFC 6527); contrib/mib has them as text, and
//! `surface/tests/mib.rs` compares. Which values are absent follows keepalived's handlers (2.4.3); docs/differences.md lists the exceptions.

use super::tree::Table;

mod addresses;
mod global;
pub(super) mod instances;
pub(super) mod rfc2787;
pub(super) mod rfc6527;
mod routes;
mod rules;
pub(super) mod services;
mod tracked;
mod trackers;

macro_rules! below {
    ($root:ident $(, $more:literal)*) => { &$crate::snmp::tables::$root!(@ $($more),*) };
}
pub(crate) use below;

macro_rules! keepalived {
    (@ $($more:literal),*) => { [1, 3, 6, 1, 4, 1, 9586, 100, 5 $(, $more)*] };
}
macro_rules! mib2 {
    (@ $($more:literal),*) => { [1, 3, 6, 1, 2, 1 $(, $more)*] };
}
pub(crate) use {keepalived, mib2};

pub(super) const GLOBAL: &[u32] = below!(keepalived, 1);
pub(super) const VRRP: &[u32] = below!(keepalived, 2);
pub(super) const CHECK: &[u32] = below!(keepalived, 3);
pub(super) const RFC2787: &[u32] = below!(mib2, 68);
pub(super) const RFC6527: &[u32] = below!(mib2, 207);

/// All tables.
pub(super) fn all() -> Vec<&'static Table> {
    let parts = [
        global::TABLES,
        instances::TABLES,
        tracked::TABLES,
        trackers::TABLES,
        addresses::TABLES,
        routes::TABLES,
        rules::TABLES,
        services::TABLES,
        rfc2787::TABLES,
        rfc6527::TABLES,
    ];
    parts.into_iter().flatten().collect()
}

/// A command as keepalived shows it: each word in quotes.
fn command(script: Option<&keepalived_config::model::Script>) -> Option<super::value::Value> {
    script.map(|script| super::value::text(keepalived_config::dump::quoted(&script.argv)))
}

/// The program of a command.
fn program(script: Option<&keepalived_config::model::Script>) -> Option<super::value::Value> {
    script.and_then(|script| script.argv.first()).map(super::value::text)
}

/// `InetScopeType` for `RT_SCOPE_*`.
fn scope(scope: u8) -> super::value::Value {
    super::value::integer(match scope {
        0 => 14,
        254 => 1,
        253 => 2,
        200 => 5,
        _ => 0,
    })
}
