//! What befalls a balancer.

use std::fmt;

use super::setting::Setting;

/// One thing that happens. Where it does not fit (a checker that is dead is paused), nothing happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Disturbance {
    /// The daemon starts, with nothing in its memory.
    Start,
    /// The daemon is told to stop; true: the table is to stay (`--dont-release-ipvs`).
    Stop(bool),
    /// All processes are killed: the kernel's table stays.
    KillAll,
    /// The checker process is killed: its supervisor lives.
    Kill,
    /// The supervisor starts the checker process again.
    Respawn,
    /// The checker process is not scheduled any more.
    Pause,
    /// It is again.
    Resume,
    /// From now on a real server answers like this.
    Condition(u8, Condition),
    /// From now on the kernel refuses to change a virtual server, or this real server of it.
    Refuse(u8, Option<u8>),
    /// It does not any more.
    Grant(u8, Option<u8>),
    /// The kernel does not answer at all.
    Silence,
    /// It answers again.
    Speech,
    /// The kernel's table cannot be read.
    Blindness,
    /// The services in the kernel's table can be read, but not their servers.
    Dimness,
    /// All can be read again.
    Sight,
    /// Others change the kernel's table.
    Meddle(Meddling),
    /// The runner is killed: its programs end with it, and their results are lost.
    RunnerDies,
    /// Another runner is there; it gets the orders again.
    RunnerComes,
    /// Answers to checks get lost from now on.
    Lose,
    /// They arrive again.
    Deliver,
    /// This machine has no descriptors, processes or memory for checks; the error number.
    Shortage(i32),
    /// It has again.
    Plenty,
    /// From now on this number is in a file.
    Writes(u8, i64),
    /// An address of a virtual server leaves this machine (`ha_suspend`).
    Leaves(u8),
    /// It comes back.
    Comes(u8),
    /// SIGHUP with another setting, or the same.
    Reload(Box<Setting>),
}

/// How a real server answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// As it should; programs with `misc_dynamic` find this weight.
    Well(u8),
    /// It refuses connections.
    Refuses,
    /// It says nothing: the check waits for as long as it may.
    Stalls,
    /// It ends the connection in the middle.
    Resets,
    /// It gives a wrong answer. A check that only connects does not notice.
    Lies,
}

/// What others do to the kernel's table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meddling {
    /// Everything goes (`ipvsadm -C`).
    Flush,
    /// A virtual server of ours goes.
    RemoveService(u8),
    /// A virtual server of ours gets another scheduler.
    EditService(u8),
    /// A real server of ours goes, from this virtual server.
    RemoveServer(u8, u8),
    /// A real server of ours gets another weight.
    Reweigh(u8, u8, u32),
    /// A virtual server of theirs comes.
    AddService(u8),
    /// A real server of theirs comes into a virtual server of ours.
    AddServer(u8, u8),
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("the daemon starts"),
            Self::Stop(false) => f.write_str("the daemon is told to stop"),
            Self::Stop(true) => f.write_str("the daemon is told to stop and to leave the table"),
            Self::KillAll => f.write_str("all processes are killed"),
            Self::Kill => f.write_str("the checker process is killed"),
            Self::Respawn => f.write_str("the checker process is started again"),
            Self::Pause => f.write_str("the checker process is not scheduled any more"),
            Self::Resume => f.write_str("the checker process is scheduled again"),
            Self::Condition(server, Condition::Well(weight)) => write!(f, "server {server} is well (weight {weight})"),
            Self::Condition(server, condition) => write!(f, "server {server}: {condition:?}"),
            Self::Refuse(service, server) => write!(f, "the kernel refuses: service {service}, server {server:?}"),
            Self::Grant(service, server) => write!(f, "the kernel grants: service {service}, server {server:?}"),
            Self::Silence => f.write_str("the kernel does not answer"),
            Self::Speech => f.write_str("the kernel answers again"),
            Self::Blindness => f.write_str("the kernel's table cannot be read"),
            Self::Dimness => f.write_str("the servers of the kernel's services cannot be read"),
            Self::Sight => f.write_str("the kernel's table can be read again"),
            Self::Meddle(what) => write!(f, "others change the table: {what:?}"),
            Self::RunnerDies => f.write_str("the runner is killed"),
            Self::RunnerComes => f.write_str("another runner is there"),
            Self::Lose => f.write_str("answers get lost"),
            Self::Deliver => f.write_str("answers arrive again"),
            Self::Shortage(errno) => write!(f, "this machine cannot ask: error {errno}"),
            Self::Plenty => f.write_str("this machine can ask again"),
            Self::Writes(file, number) => write!(f, "file {file} holds {number}"),
            Self::Leaves(number) => write!(f, "address {number} leaves this machine"),
            Self::Comes(number) => write!(f, "address {number} comes to this machine"),
            Self::Reload(setting) => write!(f, "reload: {setting:?}"),
        }
    }
}
