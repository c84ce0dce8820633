//! What has to be known about the machine to judge a configuration.

use std::fmt;

use keepalived_core::address::InterfaceName;

use crate::model::Regex;

/// What matters of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterfaceFacts {
    /// `IFF_MULTICAST`
    pub multicast: bool,
    /// How many octets a packet may have.
    pub mtu: u32,
    /// `IFF_LOOPBACK`
    pub loopback: bool,
}

impl InterfaceFacts {
    /// An ordinary Ethernet.
    pub const ETHERNET: Self = Self { multicast: true, mtu: 1500, loopback: false };
}

/// Answers questions about the machine. The loader asks and never looks for itself.
pub trait Facts {
    /// The interface `name`; `None` if there is none now.
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts>;

    /// The number that `name` stands for in routes and rules; `None` if it is not known. Those that Linux itself has
    /// names for are known everywhere.
    fn route_name(&self, kind: RouteName, name: &str, _directories: IprouteDirectories<'_>) -> Option<u32> {
        kind.well_known(name)
    }

    /// Whether there is a user of this name.
    fn knows_user(&self, _name: &str) -> bool {
        true
    }

    /// Whether there is a group of this name.
    fn knows_group(&self, _name: &str) -> bool {
        true
    }

    /// What `program` is, a path or a name to be looked for in `PATH`, if `owner` runs it.
    fn program(&self, _program: &str, _owner: Owner<'_>) -> Program {
        Program::Unknown
    }

    /// Whether the library for patterns takes this one.
    ///
    /// # Errors
    /// What it says.
    fn regex(&self, _regex: &Regex) -> Result<(), String> {
        Ok(())
    }

    /// Whether the directory of the file `path` is there.
    fn has_directory(&self, _path: &str) -> bool {
        true
    }

    /// What is in the file `path`, which holds a secret.
    fn key_file(&self, _path: &str) -> KeyFile {
        KeyFile::Unknown
    }

    /// This machine as it is inside the network namespace `name`; `None` if these facts hold there, too.
    fn inside(&self, _name: &str) -> Option<Inside> {
        None
    }
}

/// A machine inside a network namespace.
pub struct Inside {
    /// Whether there is such a namespace. If not, each interface is taken for present.
    pub exists: bool,
    /// What holds there.
    pub facts: Box<dyn Facts>,
}

/// Who runs a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Owner<'a> {
    /// The user; root if absent.
    pub user: Option<&'a str>,
    /// The group; the user's own if absent.
    pub group: Option<&'a str>,
}

/// What stands where a script should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Program {
    /// Unknown: the file is for another machine.
    Unknown,
    /// Nothing.
    Missing,
    /// Who runs it may not enter this directory.
    Unreachable(String),
    /// Something that is no file, such as a directory.
    NoFile,
    /// A file that who runs it may not execute.
    NotExecutable,
    /// A file that root would execute and others could replace.
    Insecure(Weakness),
    /// A file that can be run.
    Present,
}

/// Where others than root could put a program of their own in the place of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weakness {
    /// The file, or a directory on the way to it.
    pub path: String,
    /// What is wrong with it.
    pub kind: WeaknessKind,
}

/// What lets others than root replace a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WeaknessKind {
    /// It belongs to another user, of this number.
    Owner {
        /// The owner.
        user: u32,
    },
    /// Its group, or every user, may write it.
    Writable {
        /// Its permissions.
        mode: u32,
        /// The number of its group.
        group: u32,
    },
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.kind {
            WeaknessKind::Owner { user } => write!(f, "{path} belongs to user {user}, not to root"),
            WeaknessKind::Writable { mode, group: _ } if mode & 0o002 != 0 => {
                write!(f, "{path} has mode {mode:04o}, so every user may write it")
            }
            WeaknessKind::Writable { mode, group } => {
                write!(f, "{path} has mode {mode:04o}, so group {group} may write it")
            }
        }
    }
}

/// What stands where a key should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyFile {
    /// Unknown.
    Unknown,
    /// No file that can be read.
    Missing,
    /// A file.
    Present {
        /// What is in it, or the beginning of that.
        content: Vec<u8>,
        /// Whether its group or every user has any right to it.
        open: bool,
    },
}

/// Where the files with names for numbers are, if the configuration says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IprouteDirectories<'a> {
    /// `iproute_etc_dir`
    pub etc: Option<&'a str>,
    /// `iproute_usr_dir`
    pub usr: Option<&'a str>,
}

/// The sorts of names that routes and rules have for numbers (`/etc/iproute2`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RouteName {
    /// Routing tables.
    Table,
    /// Who made a route.
    Protocol,
    /// How far an address reaches.
    Scope,
    /// Realms of routes.
    Realm,
    /// Type of service.
    DsField,
    /// Groups of interfaces.
    Group,
}

impl RouteName {
    /// The file in iproute2's directory that lists them.
    pub fn file(self) -> &'static str {
        match self {
            Self::Table => "rt_tables",
            Self::Protocol => "rt_protos",
            Self::Scope => "rt_scopes",
            Self::Realm => "rt_realms",
            Self::DsField => "rt_dsfield",
            Self::Group => "group",
        }
    }

    /// The names that need no file (`linux/rtnetlink.h`).
    pub fn well_known(self, name: &str) -> Option<u32> {
        let names: &[(&str, u32)] = match self {
            Self::Table => &[("default", 253), ("main", 254), ("local", 255)],
            Self::Protocol => &[
                ("none", 0),
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("gated", 8),
                ("ra", 9),
                ("mrt", 10),
                ("zebra", 11),
                ("bird", 12),
                ("dnrouted", 13),
                ("xorp", 14),
                ("ntk", 15),
                ("dhcp", 16),
                ("keepalived", 18),
                ("babel", 42),
                ("bgp", 186),
                ("isis", 187),
                ("ospf", 188),
                ("rip", 189),
                ("eigrp", 192),
            ],
            Self::Scope => &[("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)],
            Self::Realm => &[("cosmos", 0)],
            Self::DsField => &[],
            Self::Group => &[("default", 0)],
        };
        names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
    }
}

/// A machine that has every interface: for checking a file that is meant for another machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AnyInterface;

impl Facts for AnyInterface {
    fn interface(&self, name: InterfaceName) -> Option<InterfaceFacts> {
        Some(InterfaceFacts { loopback: name.as_bytes() == b"lo", ..InterfaceFacts::ETHERNET })
    }
}
