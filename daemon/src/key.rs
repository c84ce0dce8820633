//! stand-in until config::plan lands
use keepalived_config::model::{Instance, Transport};
use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Family, Vrid};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// key
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct InstanceKey {
    vrid: Vrid,
    family: Family,
    interface: Option<InterfaceName>,
    unicast: bool,
    address: Option<IpAddr>,
}
impl InstanceKey {
    /// of
    pub fn of(i: &Instance) -> Self {
        let (unicast, address) = match &i.transport {
            Transport::Multicast { group, .. } => (false, Some(*group)),
            Transport::Unicast { source, .. } => (true, *source),
        };
        Self { vrid: i.vrid, family: i.family, interface: i.interface, unicast, address }
    }
}
