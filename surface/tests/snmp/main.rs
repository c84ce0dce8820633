//! SNMP, from the outside: what a master gets, against what keepalived 2.4.3 was seen to answer for the same configuration
//! (shared/reference/observed/p6.*), and against our own MIB files; and the same with Debian's `snmpd` between.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod large;
mod mib;
mod observed;
mod scene;
mod session;
mod snmpd;
mod traps;
mod wire;
