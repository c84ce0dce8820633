//! AgentX PDUs to and from octets (RFC 2741 §5, §6). What is sent is in network order; what comes may be in either.

use std::fmt;
use std::net::Ipv4Addr;

use super::oid::{MOST_SUBIDS, Oid};
use super::value::{Value, VarBind};

/// Octets of a header.
pub const HEADER: usize = 20;
/// The longest payload that is read: more than `snmpd` can put into a datagram of SNMP, several times over.
pub const MOST_PAYLOAD: usize = 1 << 20;

const NON_DEFAULT_CONTEXT: u8 = 0x08;
const NETWORK_BYTE_ORDER: u8 = 0x10;

/// What is wrong with octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Another version of AgentX than 1: what follows cannot be told apart.
    Version(u8),
    /// A payload that is longer than [`MOST_PAYLOAD`], or no multiple of four.
    Length(usize),
    /// The octets end inside of something.
    Short,
    /// No PDU has this type.
    Type(u8),
    /// A field has a value that it cannot have.
    Field(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "AgentX version {version}; only 1 is known"),
            Self::Length(length) => write!(f, "a payload of {length} octets"),
            Self::Short => f.write_str("a PDU that ends too early"),
            Self::Type(kind) => write!(f, "a PDU of type {kind}"),
            Self::Field(field) => write!(f, "a wrong {field}"),
        }
    }
}

/// What a PDU begins with (RFC 2741 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// `h.type`
    pub kind: u8,
    /// `h.flags`
    pub flags: u8,
    /// `h.sessionID`
    pub session: u32,
    /// `h.transactionID`
    pub transaction: u32,
    /// `h.packetID`
    pub packet: u32,
    /// `h.payload_length`
    pub length: usize,
}

/// A PDU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pdu {
    /// `h.sessionID`
    pub session: u32,
    /// `h.transactionID`
    pub transaction: u32,
    /// `h.packetID`
    pub packet: u32,
    /// `n.context`, if it is not the default one.
    pub context: Option<Vec<u8>>,
    /// What it says.
    pub body: Body,
}

/// What a PDU says (RFC 2741 §6.2).
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names of RFC 2741")]
pub enum Body {
    Open { timeout: u8, id: Oid, description: Vec<u8> },
    Close { reason: u8 },
    Register { timeout: u8, priority: u8, range: u8, subtree: Oid, upper: Option<u32> },
    Unregister { priority: u8, range: u8, subtree: Oid, upper: Option<u32> },
    Get(Vec<Range>),
    GetNext(Vec<Range>),
    GetBulk { non_repeaters: u16, max_repetitions: u16, ranges: Vec<Range> },
    TestSet(Vec<VarBind>),
    CommitSet,
    UndoSet,
    CleanupSet,
    Notify(Vec<VarBind>),
    Ping,
    IndexAllocate(Vec<VarBind>),
    IndexDeallocate(Vec<VarBind>),
    AddAgentCaps { id: Oid, description: Vec<u8> },
    RemoveAgentCaps { id: Oid },
    Response { uptime: u32, error: u16, index: u16, binds: Vec<VarBind> },
}

/// Where to search (RFC 2741 §5.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// From here.
    pub start: Oid,
    /// Whether `start` itself counts.
    pub included: bool,
    /// To before this; null is no end.
    pub end: Oid,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`Refusal::Version`] and [`Refusal::Length`]: what follows cannot be told apart.
    pub fn decode(octets: &[u8; HEADER]) -> Result<Self, Refusal> {
        let [version, kind, flags, _, rest @ ..] = octets;
        if *version != 1 {
            return Err(Refusal::Version(*version));
        }
        let mut reader = Reader::new(rest, *flags);
        let (session, transaction, packet) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let length = reader.length()?;
        if length > MOST_PAYLOAD || !length.is_multiple_of(4) {
            return Err(Refusal::Length(length));
        }
        Ok(Self { kind: *kind, flags: *flags, session, transaction, packet, length })
    }
}

impl Pdu {
    /// Reads what follows a header.
    ///
    /// # Errors
    /// What is wrong. Nothing of the PDU can be used.
    pub fn decode(header: &Header, payload: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(payload, header.flags);
        let has_context = header.flags & NON_DEFAULT_CONTEXT != 0;
        let context = if has_context { Some(reader.octets()?) } else { None };
        let body = Body::decode(header.kind, &mut reader)?;
        let Header { session, transaction, packet, .. } = *header;
        Ok(Self { session, transaction, packet, context, body })
    }

    /// Its octets.
    pub fn encode(&self) -> Vec<u8> {
        let flags = NETWORK_BYTE_ORDER | if self.context.is_some() { NON_DEFAULT_CONTEXT } else { 0 };
        let mut payload = Writer::default();
        if let Some(context) = &self.context {
            payload.octets(context);
        }
        self.body.encode(&mut payload);
        let mut writer = Writer(vec![1, self.body.kind(), flags, 0]);
        writer.u32(self.session);
        writer.u32(self.transaction);
        writer.u32(self.packet);
        writer.length(payload.0.len());
        writer.0.append(&mut payload.0);
        writer.0
    }
}

impl Body {
    const fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } => 1,
            Self::Close { .. } => 2,
            Self::Register { .. } => 3,
            Self::Unregister { .. } => 4,
            Self::Get(_) => 5,
            Self::GetNext(_) => 6,
            Self::GetBulk { .. } => 7,
            Self::TestSet(_) => 8,
            Self::CommitSet => 9,
            Self::UndoSet => 10,
            Self::CleanupSet => 11,
            Self::Notify(_) => 12,
            Self::Ping => 13,
            Self::IndexAllocate(_) => 14,
            Self::IndexDeallocate(_) => 15,
            Self::AddAgentCaps { .. } => 16,
            Self::RemoveAgentCaps { .. } => 17,
            Self::Response { .. } => 18,
        }
    }

    fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(match kind {
            1 => {
                let [timeout, ..] = *reader.take::<4>()?;
                Self::Open { timeout, id: reader.oid()?.0, description: reader.octets()? }
            }
            2 => {
                let [reason, ..] = *reader.take::<4>()?;
                Self::Close { reason }
            }
            3 => {
                let [timeout, priority, range, _] = *reader.take::<4>()?;
                let subtree = reader.oid()?.0;
                Self::Register { timeout, priority, range, subtree, upper: reader.upper(range)? }
            }
            4 => {
                let [_, priority, range, _] = *reader.take::<4>()?;
                let subtree = reader.oid()?.0;
                Self::Unregister { priority, range, subtree, upper: reader.upper(range)? }
            }
            5 => Self::Get(reader.ranges()?),
            6 => Self::GetNext(reader.ranges()?),
            7 => {
                let (non_repeaters, max_repetitions) = (reader.u16()?, reader.u16()?);
                Self::GetBulk { non_repeaters, max_repetitions, ranges: reader.ranges()? }
            }
            8 => Self::TestSet(reader.binds()?),
            9 => Self::CommitSet,
            10 => Self::UndoSet,
            11 => Self::CleanupSet,
            12 => Self::Notify(reader.binds()?),
            13 => Self::Ping,
            14 => Self::IndexAllocate(reader.binds()?),
            15 => Self::IndexDeallocate(reader.binds()?),
            16 => Self::AddAgentCaps { id: reader.oid()?.0, description: reader.octets()? },
            17 => Self::RemoveAgentCaps { id: reader.oid()?.0 },
            18 => {
                let (uptime, error, index) = (reader.u32()?, reader.u16()?, reader.u16()?);
                Self::Response { uptime, error, index, binds: reader.binds()? }
            }
            kind => return Err(Refusal::Type(kind)),
        })
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Open { timeout, id, description } => {
                writer.raw(&[*timeout, 0, 0, 0]);
                writer.oid(id, false);
                writer.octets(description);
            }
            Self::Close { reason } => writer.raw(&[*reason, 0, 0, 0]),
            Self::Register { timeout, priority, range, subtree, upper } => {
                writer.raw(&[*timeout, *priority, *range, 0]);
                writer.oid(subtree, false);
                upper.iter().for_each(|upper| writer.u32(*upper));
            }
            Self::Unregister { priority, range, subtree, upper } => {
                writer.raw(&[0, *priority, *range, 0]);
                writer.oid(subtree, false);
                upper.iter().for_each(|upper| writer.u32(*upper));
            }
            Self::Get(ranges) | Self::GetNext(ranges) => writer.ranges(ranges),
            Self::GetBulk { non_repeaters, max_repetitions, ranges } => {
                writer.u16(*non_repeaters);
                writer.u16(*max_repetitions);
                writer.ranges(ranges);
            }
            Self::TestSet(binds) | Self::Notify(binds) | Self::IndexAllocate(binds) | Self::IndexDeallocate(binds) => {
                writer.binds(binds)
            }
            Self::CommitSet | Self::UndoSet | Self::CleanupSet | Self::Ping => {}
            Self::AddAgentCaps { id, description } => {
                writer.oid(id, false);
                writer.octets(description);
            }
            Self::RemoveAgentCaps { id } => writer.oid(id, false),
            Self::Response { uptime, error, index, binds } => {
                writer.u32(*uptime);
                writer.u16(*error);
                writer.u16(*index);
                writer.binds(binds);
            }
        }
    }
}

/// Takes from octets and cannot run past their end.
struct Reader<'a> {
    rest: &'a [u8],
    network_order: bool,
}

impl<'a> Reader<'a> {
    const fn new(rest: &'a [u8], flags: u8) -> Self {
        Self { rest, network_order: flags & NETWORK_BYTE_ORDER != 0 }
    }

    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Refusal> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Refusal::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn some(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Refusal::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, Refusal> {
        let octets = *self.take()?;
        Ok(if self.network_order { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
    }

    fn u32(&mut self) -> Result<u32, Refusal> {
        let octets = *self.take()?;
        Ok(if self.network_order { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
    }

    fn u64(&mut self) -> Result<u64, Refusal> {
        let octets = *self.take()?;
        Ok(if self.network_order { u64::from_be_bytes(octets) } else { u64::from_le_bytes(octets) })
    }

    fn length(&mut self) -> Result<usize, Refusal> {
        Ok(usize::try_from(self.u32()?).unwrap_or(usize::MAX))
    }

    /// An object identifier and its `include` (RFC 2741 §5.1).
    fn oid(&mut self) -> Result<(Oid, bool), Refusal> {
        let [count, prefix, include, _] = *self.take::<4>()?;
        if usize::from(count) > MOST_SUBIDS {
            return Err(Refusal::Field("n_subid"));
        }
        let mut subids = Vec::with_capacity(usize::from(count).saturating_add(5));
        if prefix != 0 {
            subids.extend([1, 3, 6, 1, u32::from(prefix)]);
        }
        for _ in 0..count {
            subids.push(self.u32()?);
        }
        Ok((Oid::new(subids), include != 0))
    }

    /// An octet string and what fills it up to a multiple of four (RFC 2741 §5.3).
    fn octets(&mut self) -> Result<Vec<u8>, Refusal> {
        let length = self.length()?;
        let octets = self.some(length)?;
        self.some(length.wrapping_neg() % 4)?;
        Ok(octets.to_vec())
    }

    fn upper(&mut self, range: u8) -> Result<Option<u32>, Refusal> {
        if range == 0 { Ok(None) } else { self.u32().map(Some) }
    }

    fn ranges(&mut self) -> Result<Vec<Range>, Refusal> {
        let mut ranges = Vec::new();
        while !self.rest.is_empty() {
            let (start, included) = self.oid()?;
            ranges.push(Range { start, included, end: self.oid()?.0 });
        }
        Ok(ranges)
    }

    fn binds(&mut self) -> Result<Vec<VarBind>, Refusal> {
        let mut binds = Vec::new();
        while !self.rest.is_empty() {
            let kind = self.u16()?;
            self.take::<2>()?;
            let name = self.oid()?.0;
            binds.push(VarBind { name, value: self.value(kind)? });
        }
        Ok(binds)
    }

    fn value(&mut self, kind: u16) -> Result<Value, Refusal> {
        Ok(match kind {
            2 => Value::Integer(self.u32()?.cast_signed()),
            4 => Value::OctetString(self.octets()?),
            5 => Value::Null,
            6 => Value::ObjectIdentifier(self.oid()?.0),
            64 => match self.octets()?.as_slice().try_into() {
                Ok(octets) => Value::IpAddress(Ipv4Addr::from_octets(octets)),
                Err(_) => return Err(Refusal::Field("IpAddress")),
            },
            65 => Value::Counter32(self.u32()?),
            66 => Value::Gauge32(self.u32()?),
            67 => Value::TimeTicks(self.u32()?),
            68 => Value::Opaque(self.octets()?),
            70 => Value::Counter64(self.u64()?),
            128 => Value::NoSuchObject,
            129 => Value::NoSuchInstance,
            130 => Value::EndOfMibView,
            _ => return Err(Refusal::Field("v.type")),
        })
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn raw(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    fn u16(&mut self, number: u16) {
        self.raw(&number.to_be_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.raw(&number.to_be_bytes());
    }

    /// No text of ours comes near the end of 32 bits.
    fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }

    fn oid(&mut self, oid: &Oid, include: bool) {
        let (prefix, rest) = match oid.subids() {
            [1, 3, 6, 1, prefix @ 1..=255, rest @ ..] => (u8::try_from(*prefix).unwrap_or(0), rest),
            rest => (0, rest),
        };
        self.raw(&[u8::try_from(rest.len()).unwrap_or(u8::MAX), prefix, u8::from(include), 0]);
        rest.iter().for_each(|subid| self.u32(*subid));
    }

    fn octets(&mut self, octets: &[u8]) {
        self.length(octets.len());
        self.raw(octets);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn ranges(&mut self, ranges: &[Range]) {
        for Range { start, included, end } in ranges {
            self.oid(start, *included);
            self.oid(end, false);
        }
    }

    fn binds(&mut self, binds: &[VarBind]) {
        for VarBind { name, value } in binds {
            self.u16(kind(value));
            self.u16(0);
            self.oid(name, false);
            match value {
                Value::Integer(number) => self.u32(number.cast_unsigned()),
                Value::OctetString(octets) | Value::Opaque(octets) => self.octets(octets),
                Value::ObjectIdentifier(oid) => self.oid(oid, false),
                Value::IpAddress(address) => self.octets(&address.octets()),
                Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => self.u32(*number),
                Value::Counter64(number) => self.raw(&number.to_be_bytes()),
                Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {}
            }
        }
    }
}

const fn kind(value: &Value) -> u16 {
    match value {
        Value::Integer(_) => 2,
        Value::OctetString(_) => 4,
        Value::Null => 5,
        Value::ObjectIdentifier(_) => 6,
        Value::IpAddress(_) => 64,
        Value::Counter32(_) => 65,
        Value::Gauge32(_) => 66,
        Value::TimeTicks(_) => 67,
        Value::Opaque(_) => 68,
        Value::Counter64(_) => 70,
        Value::NoSuchObject => 128,
        Value::NoSuchInstance => 129,
        Value::EndOfMibView => 130,
    }
}

#[cfg(test)]
mod tests;
