//! What befalls a world.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::setting::{NodeId, Segment, Setting, VirtualId};

/// One thing that happens. Where it does not fit (a router that is down is paused), nothing happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Disturbance {
    /// A router starts, with nothing in its memory.
    Start(NodeId),
    /// Told to stop: it says farewell.
    Stop(NodeId),
    /// Power fails: processes and addresses are gone.
    PowerCut(NodeId),
    /// All processes are killed: the addresses stay in the kernel.
    Kill(NodeId),
    /// The vrrp process is killed; its supervisor knows who was master.
    KillWorker(NodeId),
    /// The supervisor starts the vrrp process again.
    Respawn(NodeId),
    /// The router is not scheduled any more; what arrives waits.
    Pause(NodeId),
    /// It is again.
    Resume(NodeId),
    /// The cable.
    Pull(NodeId, Segment),
    /// The same.
    Plug(NodeId, Segment),
    /// Another program removes an address of this virtual router.
    DeleteAddress(NodeId, VirtualId),
    /// The kernel loses events about links and addresses.
    Overrun(NodeId),
    /// So many addresses come and go on an interface that has nothing to do with VRRP.
    Churn(NodeId, u8),
    /// From now on the kernel refuses to add or remove the first address of this virtual router.
    Refuse(NodeId, VirtualId),
    /// It does not any more.
    Grant(NodeId, VirtualId),
    /// An interface is removed.
    Unlink(NodeId, Segment),
    /// It is there again, with another index.
    Relink(NodeId, Segment),
    /// The kernel refuses to send anything.
    Mute(NodeId),
    /// It sends again.
    Unmute(NodeId),
    /// So many packets arrive that no router has sent: other octets, or an advert of a router with some of them wrong.
    Flood(NodeId, Segment, u16),
    /// More packets arrive than the router can read: it never sees the end of them.
    Deluge(NodeId),
    /// They do not any more.
    Ebb(NodeId),
    /// Nothing passes from one router to another.
    Cut(NodeId, NodeId),
    /// It does again.
    Heal(NodeId, NodeId),
    /// From now on packets fare like this.
    Weather(Weather),
    /// The receive buffer has room for so many packets only; `None`: enough.
    Buffer(NodeId, Option<usize>),
    /// SIGHUP with another setting, or the same.
    Reload(NodeId, Box<Setting>),
    /// What is tracked is well, or is not, from now on.
    Track(NodeId, usize, bool),
    /// SIGHUP with other addresses.
    Readdress(NodeId, Vec<Vec<IpAddr>>),
}

/// How packets fare.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Weather {
    /// Of a hundred packets so many are lost.
    pub loss: u64,
    /// Of a hundred packets so many arrive twice.
    pub duplication: u64,
    /// Each is delayed by up to so much more: they overtake each other.
    pub delay: Duration,
}

impl Weather {
    /// Nothing out of the ordinary.
    pub const FAIR: Self = Self { loss: 0, duplication: 0, delay: Duration::ZERO };
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(node) => write!(f, "router {node} starts"),
            Self::Stop(node) => write!(f, "router {node} is told to stop"),
            Self::PowerCut(node) => write!(f, "router {node} loses power"),
            Self::Kill(node) => write!(f, "all processes of router {node} are killed"),
            Self::KillWorker(node) => write!(f, "the vrrp process of router {node} is killed"),
            Self::Respawn(node) => write!(f, "the vrrp process of router {node} is started again"),
            Self::Pause(node) => write!(f, "router {node} is not scheduled any more"),
            Self::Resume(node) => write!(f, "router {node} is scheduled again"),
            Self::Pull(node, segment) => write!(f, "router {node}: {} unplugged", segment.interface()),
            Self::Plug(node, segment) => write!(f, "router {node}: {} plugged in", segment.interface()),
            Self::DeleteAddress(node, id) => write!(f, "router {node}: another program removes an address of I{id}"),
            Self::Overrun(node) => write!(f, "router {node}: the kernel loses events"),
            Self::Churn(node, many) => write!(f, "router {node}: {many} foreign addresses come and go"),
            Self::Refuse(node, id) => write!(f, "router {node}: the kernel refuses the first address of I{id}"),
            Self::Grant(node, id) => write!(f, "router {node}: the kernel grants the first address of I{id}"),
            Self::Unlink(node, segment) => write!(f, "router {node}: {} is removed", segment.interface()),
            Self::Relink(node, segment) => write!(f, "router {node}: {} is made again", segment.interface()),
            Self::Mute(node) => write!(f, "router {node} cannot send"),
            Self::Unmute(node) => write!(f, "router {node} can send again"),
            Self::Flood(node, segment, many) => {
                write!(f, "router {node}: {many} packets of a stranger on {}", segment.interface())
            }
            Self::Deluge(node) => write!(f, "router {node}: more packets arrive than it can read"),
            Self::Ebb(node) => write!(f, "router {node} can read all packets again"),
            Self::Cut(from, to) => write!(f, "router {to} does not hear router {from} any more"),
            Self::Heal(from, to) => write!(f, "router {to} hears router {from} again"),
            Self::Weather(Weather::FAIR) => f.write_str("the weather is fair again"),
            Self::Weather(Weather { loss, duplication, delay }) => {
                write!(f, "weather: {loss} % lost, {duplication} % twice, up to {delay:?} late")
            }
            Self::Buffer(node, Some(room)) => write!(f, "router {node}: room for {room} packets"),
            Self::Buffer(node, None) => write!(f, "router {node}: room for all packets"),
            Self::Reload(node, setting) => {
                let priorities: Vec<u8> = setting.instances.iter().map(|instance| instance.priority).collect();
                let intervals: Vec<u64> = setting.instances.iter().map(|instance| instance.interval).collect();
                let absent = setting.instances.iter().filter(|instance| instance.absent).count();
                write!(
                    f,
                    "router {node} reloads: priorities {priorities:?}, intervals {intervals:?} cs, {absent} absent"
                )
            }
            Self::Track(node, tracker, true) => write!(f, "router {node}: T{tracker} is well"),
            Self::Track(node, tracker, false) => write!(f, "router {node}: T{tracker} fails"),
            Self::Readdress(node, addresses) => write!(f, "router {node} reloads: addresses {addresses:?}"),
        }
    }
}
