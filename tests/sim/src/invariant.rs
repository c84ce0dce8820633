//! What must always hold, and how it is said that it does not.

use std::fmt;

use crate::clock::Moment;

/// A promise of the protocol, or of the daemon.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Invariant {
    /// At most one master among routers that hear each other, [`crate::bounds::Bounds::one`] after the last
    /// disturbance.
    OneMaster,
    /// At least one, as soon.
    SomeMaster,
    /// No address on two routers that hear each other, as soon.
    OneHolder,
    /// A `nopreempt` router never takes over from a master that it can hear.
    NoPreempt,
    /// No router that would preempt has a higher priority than the master, [`crate::bounds::Bounds::settled`] after the
    /// last disturbance.
    Priority,
    /// No state changes after that.
    Steady,
    /// Whenever the engine rests, a master has its addresses.
    MasterHolds,
    /// Whenever the engine rests, only a master has its addresses.
    OthersDoNot,
    /// No router takes over before the master down time after the last advert that had reached its socket.
    HearsFirst,
    /// A master's adverts are never further apart than its interval.
    Punctual,
    /// Only masters tell the neighbours where an address is.
    OnlyMastersAnnounce,
    /// A master announces each address that is in place, [`crate::bounds::Bounds::announced`] after it is at the
    /// latest.
    Announces,
    /// No address stays longer than the master down time on a router whose vrrp process is dead.
    NotAbandoned,
    /// No router says that an address is on another machine, too, when it is on one, [`crate::bounds::Bounds::one`]
    /// after the last disturbance.
    NoFalseDuplicate,
    /// A master that is told to stop says farewell.
    Farewell,
    /// A router is in FAULT exactly while a tracker without weight, or its interface, says so.
    FaultWhileTracked,
    /// An interface counts as down only once it has been down for its delay.
    DownForLong,
    /// What a virtual router with a virtual MAC has, and what it sends, is on the interface with that MAC, which goes
    /// when the router stops.
    VirtualMac,
    /// The priority of an advert is what the file says and trackers add.
    PriorityOnTheWire,
    /// No BFD session is up on both sides when the path between them has been gone, in either direction, for longer than
    /// the detection time.
    SeesDeadPath,
    /// Members of a sync group are in the same state.
    GroupTogether,
    /// Adopting the addresses of the process before changes nothing in the kernel.
    AdoptionIsQuiet,
    /// The engine comes to rest.
    Rests,
    /// Who follows the differences sees what the engine shows.
    Followed,
    /// Load balancing: the kernel's table is what the results of checks and the configuration say, as soon as the
    /// kernel lets it be.
    Table,
    /// Entries that are not ours stay as they are.
    OthersStay,
    /// Each check is asked again in time, and never twice at once.
    Asked,
    /// Each change of a server or quorum is told once, in order, and nothing else is.
    Told,
    /// The checker blames no other program for changes that none made.
    NoBlame,
    /// A checker that comes back keeps the servers that are in the table.
    TakesOver,
    /// A stop leaves the table as the configuration says.
    Leaves,
    /// The checker comes to rest, and takes each configuration.
    Sleeps,
    /// The same as `Followed`, of the checker.
    CheckerFollowed,
}

impl Invariant {
    /// What replays a seed that broke it, besides the seed.
    const fn flag(self) -> &'static str {
        match self {
            Self::Table
            | Self::OthersStay
            | Self::Asked
            | Self::Told
            | Self::NoBlame
            | Self::TakesOver
            | Self::Leaves
            | Self::Sleeps
            | Self::CheckerFollowed => "--balance ",
            Self::OneMaster
            | Self::SomeMaster
            | Self::OneHolder
            | Self::NoPreempt
            | Self::Priority
            | Self::Steady
            | Self::MasterHolds
            | Self::OthersDoNot
            | Self::HearsFirst
            | Self::Punctual
            | Self::OnlyMastersAnnounce
            | Self::Announces
            | Self::NotAbandoned
            | Self::NoFalseDuplicate
            | Self::Farewell
            | Self::FaultWhileTracked
            | Self::DownForLong
            | Self::VirtualMac
            | Self::PriorityOnTheWire
            | Self::SeesDeadPath
            | Self::GroupTogether
            | Self::AdoptionIsQuiet
            | Self::Rests
            | Self::Followed => "",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneMaster => "at most one master",
            Self::SomeMaster => "at least one master",
            Self::OneHolder => "no address on two routers",
            Self::NoPreempt => "nopreempt never preempts",
            Self::FaultWhileTracked => "FAULT exactly while a tracker says so",
            Self::DownForLong => "an interface counts as down once it has been so for its delay",
            Self::VirtualMac => "what has a virtual MAC is on the interface with it",
            Self::PriorityOnTheWire => "the priority on the wire is what the trackers add up to",
            Self::SeesDeadPath => "BFD sees a dead path within the detection time",
            Self::Priority => "the highest priority that preempts is master",
            Self::Steady => "nothing changes once all has settled",
            Self::MasterHolds => "a master has its addresses",
            Self::OthersDoNot => "only a master has addresses",
            Self::HearsFirst => "what has arrived is heard before a timer fires",
            Self::Punctual => "adverts are never further apart than the interval",
            Self::OnlyMastersAnnounce => "only masters announce",
            Self::Announces => "a master announces its addresses",
            Self::NotAbandoned => "no address stays without adverts",
            Self::NoFalseDuplicate => "no duplicate is said where there is none",
            Self::Farewell => "a master that stops says farewell",
            Self::GroupTogether => "members of a sync group are in the same state",
            Self::AdoptionIsQuiet => "adopting changes nothing",
            Self::Rests => "the engine comes to rest",
            Self::Table => "the table is what checks and configuration say",
            Self::OthersStay => "what is not ours stays as it is",
            Self::Asked => "each check is asked again in time, and once",
            Self::Told => "each change is told once, in order",
            Self::NoBlame => "no other program is blamed for what none did",
            Self::TakesOver => "a checker that comes back keeps the servers in the table",
            Self::Sleeps => "the checker comes to rest",
            Self::Followed | Self::CheckerFollowed => "who follows the differences sees what is shown",
            Self::Leaves => "a stop leaves the table as the configuration says",
        })
    }
}

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// In which world.
    pub seed: u64,
    /// When.
    pub at: Moment,
    /// Which router, and how.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant, seed, at, detail } = self;
        write!(f, "seed {seed}, {at}: not kept: {invariant}: {detail}\n  ")?;
        write!(f, "replay: cargo run -p keepalived-sim -- {}--seed {seed}", invariant.flag())
    }
}

impl std::error::Error for Violation {}

/// A promise that was not kept, and how.
pub type Broken = (Invariant, String);
