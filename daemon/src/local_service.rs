//! Programs of this machine that root can connect to, and often nobody else. The observer is another user, so the supervisor connects to
//! them, as the configuration and the environment say, and hands the socket over.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use keepalived_config::model::Global;
use keepalived_surface::snmp;
use serde::{Deserialize, Serialize};

/// Such a program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum LocalService {
    /// The AgentX master.
    SnmpMaster,
    /// The system's message bus.
    Bus,
}

impl LocalService {
    /// The path of its socket; `None` if it is elsewhere, where who we are does not matter.
    pub fn path(self, global: &Global) -> Option<PathBuf> {
        match self {
            Self::SnmpMaster => snmp_path(global.snmp.socket.as_deref()),
            Self::Bus => bus_path(std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS")),
        }
    }
}

impl fmt::Display for LocalService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SnmpMaster => "the AgentX master",
            Self::Bus => "the message bus",
        })
    }
}

/// As net-snmp names it: a path, or `unix:PATH`.
fn snmp_path(socket: Option<&str>) -> Option<PathBuf> {
    let name = socket.unwrap_or(snmp::DEFAULT_SOCKET);
    let path = name.strip_prefix("unix:").or(Some(name).filter(|name| name.starts_with('/')))?;
    Some(path.into())
}

/// Where the system bus usually is (D-Bus Specification, "System message bus").
const USUAL_BUS: &str = "/var/run/dbus/system_bus_socket";

/// The path of an address of one bus on a socket with a name in the file system. Others are rare, and left to the library.
fn bus_path(address: Option<OsString>) -> Option<PathBuf> {
    let Some(address) = address else { return Some(USUAL_BUS.into()) };
    let keys = address.to_str()?.strip_prefix("unix:")?;
    // `;` separates several buses, `%` begins an octet that cannot be written otherwise
    let is_plain = !keys.contains([';', '%']);
    let path = keys.split(',').find_map(|key| key.strip_prefix("path=")).filter(|_| is_plain)?;
    Some(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_at_a_path_is_told_from_others() {
        let snmp = |name: &str| snmp_path(Some(name));
        assert_eq!(snmp_path(None), Some("/var/agentx/master".into()));
        assert_eq!(snmp("unix:/run/a"), Some("/run/a".into()));
        assert_eq!(snmp("/run/b"), Some("/run/b".into()));
        assert_eq!([snmp("tcp:127.0.0.1:705"), snmp("localhost:705"), snmp("udp:10.0.0.1")], [const { None }; 3]);
        let bus = |address: &str| bus_path(Some(address.into()));
        assert_eq!(bus_path(None), Some("/var/run/dbus/system_bus_socket".into()));
        assert_eq!(bus("unix:path=/run/bus,guid=0123"), Some("/run/bus".into()));
        assert_eq!(bus("unix:guid=0123,path=/run/bus"), Some("/run/bus".into()));
        let others =
            ["unix:abstract=/tmp/bus", "tcp:host=localhost,port=1", "unix:path=/a;unix:path=/b", "unix:path=/a%20b"];
        assert_eq!(others.map(bus), [const { None }; 4]);
    }
}
