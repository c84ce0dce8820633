//! D-Bus: the objects of keepalived (`org.keepalived.Vrrp1`), what they answer, and their signals. Whoever owns the connection passes
//! calls to [`Objects::answer`] and sends the signals; nothing here waits or knows the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use keepalived_config::model::{Config, Instance};
use keepalived_core::vrrp::{Cause, Family, State, Transition};
use keepalived_state::{Event, Record, Snapshot, Subject};

use crate::request::Change;

/// The interface of the daemon.
const VRRP: &str = "org.keepalived.Vrrp1.Vrrp";
/// The interface of an instance.
const INSTANCE: &str = "org.keepalived.Vrrp1.Instance";
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PEER: &str = "org.freedesktop.DBus.Peer";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Where our objects are.
const ROOT: &str = "/org/keepalived/Vrrp1";

/// What tools read.
const VRRP_XML: &str = include_str!("../../contrib/dbus/org.keepalived.Vrrp1.Vrrp.xml");
const INSTANCE_XML: &str = include_str!("../../contrib/dbus/org.keepalived.Vrrp1.Instance.xml");

const DOCTYPE: &str = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"
 \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">
";

/// What each object has besides (D-Bus specification, part Standard Interfaces).
const STANDARD_XML: &str = r#"  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg name="xml" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg name="id" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg name="interface" type="s" direction="in"/>
      <arg name="property" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="GetAll">
      <arg name="interface" type="s" direction="in"/>
      <arg name="properties" type="a{sv}" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface" type="s" direction="in"/>
      <arg name="property" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface" type="s"/>
      <arg name="changed" type="a{sv}"/>
      <arg name="invalidated" type="as"/>
    </signal>
  </interface>
"#;

/// A call of a method.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The object's path.
    pub path: &'a str,
    /// The interface; any that has the method, if the caller names none.
    pub interface: Option<&'a str>,
    /// The method.
    pub member: &'a str,
    /// The types of its arguments: `ss`.
    pub signature: &'a str,
    /// The arguments, as far as they are texts.
    pub texts: &'a [String],
}

impl Call<'_> {
    /// The answer, if the arguments are of these types.
    fn with(&self, signature: &str, answer: impl FnOnce() -> Answer) -> Answer {
        if self.signature == signature {
            answer()
        } else {
            let why = format!("{} takes arguments of the types \"{signature}\"", self.member);
            Answer::Refused(Refusal::Arguments, why)
        }
    }
}

/// What comes of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// An empty reply.
    Nothing,
    /// A text.
    Text(String),
    /// The identity of this machine.
    MachineId,
    /// A property.
    Property(Property),
    /// All properties.
    Properties(Vec<(&'static str, Property)>),
    /// Something is to change; the caller has to be root.
    Change(Change),
    /// Not done.
    Refused(Refusal, String),
}

/// The value of a property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Property {
    /// `Name`, of type `(s)`.
    Name(String),
    /// `State`, of type `(us)`.
    State(u32, &'static str),
}

/// Why something is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no such object.
    Object,
    /// It has no such interface.
    Interface,
    /// Nor such a method.
    Method,
    /// Nor such a property.
    Property,
    /// The property cannot be set.
    ReadOnly,
    /// The arguments are others.
    Arguments,
    /// The caller may not.
    Access,
    /// Too much at once.
    Limits,
    /// It did not work.
    Failed,
}

impl Refusal {
    /// Its name on the bus.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Object => "org.freedesktop.DBus.Error.UnknownObject",
            Self::Interface => "org.freedesktop.DBus.Error.UnknownInterface",
            Self::Method => "org.freedesktop.DBus.Error.UnknownMethod",
            Self::Property => "org.freedesktop.DBus.Error.UnknownProperty",
            Self::ReadOnly => "org.freedesktop.DBus.Error.PropertyReadOnly",
            Self::Arguments => "org.freedesktop.DBus.Error.InvalidArgs",
            Self::Access => "org.freedesktop.DBus.Error.AccessDenied",
            Self::Limits => "org.freedesktop.DBus.Error.LimitsExceeded",
            Self::Failed => "org.freedesktop.DBus.Error.Failed",
        }
    }
}

/// A signal to everybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal {
    /// From which object.
    pub path: String,
    /// The interface.
    pub interface: &'static str,
    /// Its name.
    pub name: &'static str,
    /// `VrrpStatusChange` has the state.
    pub state: Option<u32>,
}

/// An instance on the bus.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    path: String,
    /// `notify_deleted`: a removal is DELETED, not FAULT.
    says_deleted: bool,
}

/// What is on the bus.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Where the daemon itself is.
    daemon: String,
    /// Instances by name.
    places: BTreeMap<String, Place>,
    /// Names by path.
    names: BTreeMap<String, String>,
    /// Instances that the last reload took away: their last signal may come later.
    removed: BTreeMap<String, Place>,
    /// States that were told, by name.
    states: BTreeMap<String, State>,
}

impl Objects {
    /// The objects of a configuration, and how its instances are.
    pub fn new(config: &Config, snapshot: &Snapshot) -> Self {
        let mut objects = Self::default();
        objects.take(config);
        objects.look(snapshot);
        objects
    }

    fn take(&mut self, config: &Config) {
        let mut root = ROOT.to_owned();
        for part in [&config.global.net_namespace, &config.global.instance].into_iter().flatten() {
            root.push('/');
            root.push_str(&element(part));
        }
        self.daemon = format!("{root}/Vrrp");
        let before = std::mem::take(&mut self.places);
        self.names.clear();
        for instance in &config.instances {
            let path = path(&root, config, instance);
            // two of one name cannot be; of one path the first is there, as with keepalived
            self.names.entry(path.clone()).or_insert_with(|| instance.name.clone());
            let says_deleted = instance.notify.as_ref().is_some_and(|notify| notify.says_deleted);
            self.places.insert(instance.name.clone(), Place { path, says_deleted });
        }
        self.removed = before.into_iter().filter(|(name, _)| !self.places.contains_key(name)).collect();
        let places = &self.places;
        self.states.retain(|name, _| places.contains_key(name));
    }

    /// Takes the states of a snapshot. Returns the instances that have another one.
    fn look(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut others = Vec::new();
        for view in &snapshot.vrrp.instances {
            if self.places.contains_key(&view.name)
                && self.states.insert(view.name.clone(), view.state) != Some(view.state)
            {
                others.push(view.name.clone());
            }
        }
        others
    }

    /// We are on the bus.
    pub fn greet(&self) -> Vec<Signal> {
        let states = self.places.keys().filter_map(|name| self.state_signal(name));
        std::iter::once(self.of_daemon("VrrpStarted")).chain(states).collect()
    }

    /// We leave it.
    pub fn farewell(&self) -> Signal {
        self.of_daemon("VrrpStopped")
    }

    /// Another configuration is in force: objects come and go.
    pub fn configure(&mut self, config: &Config) {
        self.take(config);
    }

    /// The configuration was read again.
    pub fn reloaded(&self) -> Signal {
        self.of_daemon("VrrpReloaded")
    }

    /// A snapshot came that may have more than the records told.
    pub fn replace(&mut self, snapshot: &Snapshot) -> Vec<Signal> {
        self.look(snapshot).iter().filter_map(|name| self.state_signal(name)).collect()
    }

    /// Something happened.
    pub fn record(&mut self, record: &Record) -> Option<Signal> {
        let (Subject::Instance(name), Event::Transition(Transition { from, to, cause, .. })) =
            (&record.subject, &record.event)
        else {
            return None;
        };
        let place = self.places.get(name).or_else(|| self.removed.get(name))?;
        let number = match (to, cause) {
            // as its scripts are told: `notify_deleted` decides
            (State::Stopped, Cause::Removed) if place.says_deleted => DELETED,
            (State::Stopped, Cause::Removed) if *from == State::Fault => return None,
            (State::Stopped, Cause::Removed) => number(State::Fault),
            (State::Init, _) => return None,
            (to, _) => number(*to),
        };
        let signal = status(place, number);
        if self.places.contains_key(name) {
            self.states.insert(name.clone(), *to);
        }
        Some(signal)
    }

    fn state_signal(&self, name: &str) -> Option<Signal> {
        let place = self.places.get(name)?;
        Some(status(place, number(self.state(name))))
    }

    fn of_daemon(&self, name: &'static str) -> Signal {
        Signal { path: self.daemon.clone(), interface: VRRP, name, state: None }
    }

    fn state(&self, name: &str) -> State {
        self.states.get(name).copied().unwrap_or(State::Init)
    }

    /// What comes of a call.
    pub fn answer(&self, call: &Call<'_>) -> Answer {
        let object = if call.path == self.daemon {
            Some(Object::Daemon)
        } else {
            self.names.get(call.path).map(|name| Object::Instance(name))
        };
        let children = self.children(call.path);
        if object.is_none() && children.is_empty() {
            return Answer::Refused(Refusal::Object, format!("there is no object {}", call.path));
        }
        let interfaces: &[&'static str] = match object {
            Some(Object::Daemon) => &[INTROSPECTABLE, PEER, PROPERTIES, VRRP],
            Some(Object::Instance(_)) => &[INTROSPECTABLE, PEER, PROPERTIES, INSTANCE],
            None => &[INTROSPECTABLE, PEER],
        };
        let mut refused = (Refusal::Interface, format!("{} has no such interface", call.path));
        for interface in interfaces.iter().filter(|name| call.interface.is_none_or(|wanted| wanted == **name)) {
            match self.method(object, interface, call, &children) {
                Answer::Refused(Refusal::Method, why) => refused = (Refusal::Method, why),
                answer => return answer,
            }
        }
        Answer::Refused(refused.0, refused.1)
    }

    fn method(
        &self,
        object: Option<Object<'_>>,
        interface: &str,
        call: &Call<'_>,
        children: &BTreeSet<&str>,
    ) -> Answer {
        let change = |change| call.with("", || Answer::Change(change));
        match (interface, call.member, object) {
            (INTROSPECTABLE, "Introspect", _) => call.with("", || Answer::Text(introspection(object, children))),
            (PEER, "Ping", _) => call.with("", || Answer::Nothing),
            (PEER, "GetMachineId", _) => call.with("", || Answer::MachineId),
            (PROPERTIES, "Get", Some(object)) => call.with("ss", || self.get(object, call.texts)),
            (PROPERTIES, "GetAll", Some(object)) => call.with("s", || self.get_all(object, call.texts)),
            (PROPERTIES, "Set", Some(_)) => {
                call.with("ssv", || Answer::Refused(Refusal::ReadOnly, "no property can be set".to_owned()))
            }
            (VRRP, "PrintData", _) => change(Change::PrintData),
            (VRRP, "PrintStats", _) => change(Change::PrintStatistics { clear: false }),
            (VRRP, "PrintStatsClear", _) => change(Change::PrintStatistics { clear: true }),
            (VRRP, "ReloadConfig", _) => change(Change::Reload),
            (INSTANCE, "SendGarp", Some(Object::Instance(name))) => change(Change::Garp { instance: name.to_owned() }),
            _ => Answer::Refused(Refusal::Method, format!("{interface} has no method {}", call.member)),
        }
    }

    fn get(&self, object: Object<'_>, texts: &[String]) -> Answer {
        let [interface, property] = texts else {
            return Answer::Refused(Refusal::Arguments, "Get takes an interface and a property".to_owned());
        };
        match self.get_all(object, std::slice::from_ref(interface)) {
            Answer::Properties(all) => match all.into_iter().find(|(name, _)| name == property) {
                Some((_, value)) => Answer::Property(value),
                None => Answer::Refused(Refusal::Property, format!("{interface} has no such property")),
            },
            other => other,
        }
    }

    fn get_all(&self, object: Object<'_>, texts: &[String]) -> Answer {
        match (object, texts) {
            (Object::Instance(name), [interface]) if interface == INSTANCE => {
                let state = self.state(name);
                let state = Property::State(number(state), word(state));
                Answer::Properties(vec![("Name", Property::Name(name.to_owned())), ("State", state)])
            }
            (_, [interface]) if [VRRP, INTROSPECTABLE, PEER, PROPERTIES].contains(&interface.as_str()) => {
                Answer::Properties(Vec::new())
            }
            _ => Answer::Refused(Refusal::Interface, "there is no such interface".to_owned()),
        }
    }

    /// The next elements of paths below this one.
    fn children(&self, path: &str) -> BTreeSet<&str> {
        let all = self.names.keys().chain(std::iter::once(&self.daemon));
        let below = all.filter_map(|object| object.strip_prefix(path.trim_end_matches('/'))?.strip_prefix('/'));
        below.filter_map(|rest| rest.split('/').next()).collect()
    }
}

/// An object with an interface of ours.
#[derive(Clone, Copy, Debug)]
enum Object<'a> {
    Daemon,
    Instance(&'a str),
}

/// keepalived's numbers of states, beyond those of [`State`].
const DELETED: u32 = 97;

fn number(state: State) -> u32 {
    state.number().into()
}

const fn word(state: State) -> &'static str {
    match state {
        State::Init => "Init",
        State::Backup => "Backup",
        State::Master => "Master",
        State::Fault => "Fault",
        State::Stopped => "Stop",
    }
}

fn status(place: &Place, state: u32) -> Signal {
    Signal { path: place.path.clone(), interface: INSTANCE, name: "VrrpStatusChange", state: Some(state) }
}

fn path(root: &str, config: &Config, instance: &Instance) -> String {
    let interface = match (&instance.interface, &config.global.dbus.no_interface_name) {
        (Some(interface), _) => element(&interface.to_string()),
        (None, Some(name)) => element(name),
        (None, None) => "none".to_owned(),
    };
    let family = match instance.settings.family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    format!("{root}/Instance/{interface}/{}/{family}", instance.settings.vrid)
}

/// An element of a path: what cannot be in one is `_`.
fn element(name: &str) -> String {
    let fit = |octet: u8| if octet.is_ascii_alphanumeric() { char::from(octet) } else { '_' };
    name.bytes().map(fit).collect()
}

fn introspection(object: Option<Object<'_>>, children: &BTreeSet<&str>) -> String {
    let own = match object {
        Some(Object::Daemon) => VRRP_XML,
        Some(Object::Instance(_)) => INSTANCE_XML,
        None => "",
    };
    let interface =
        own.split_once("<node>\n").and_then(|(_, rest)| rest.split_once("</node>")).map_or("", |(own, _)| own);
    let mut text = format!("{DOCTYPE}<node>\n{STANDARD_XML}{interface}");
    for child in children {
        // a String takes everything
        writeln!(text, "  <node name=\"{child}\"/>").ok();
    }
    text.push_str("</node>\n");
    text
}

#[cfg(test)]
mod tests;
