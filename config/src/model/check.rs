//! Health checks, each with its timing and its target worked out.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use serde::{Deserialize, Serialize};

use super::{Micros, Script};

/// One check of a real server. What few of them have is in a box: most sites have one TCP check for each server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Checker {
    /// `TCP_CHECK`
    Tcp(TcpCheck),
    /// `HTTP_GET`, `SSL_GET`, `HTTP2_GET`
    Http(Box<HttpCheck>),
    /// `GRPC_CHECK`
    Grpc(Box<GrpcCheck>),
    /// `SMTP_CHECK`, one for each `host` block if there are any.
    Smtp(Box<SmtpCheck>),
    /// `DNS_CHECK`
    Dns(Box<DnsCheck>),
    /// `MISC_CHECK`
    Misc(Box<MiscCheck>),
    /// `PING_CHECK`
    Ping(Box<PingCheck>),
    /// `UDP_CHECK`
    Udp(Box<UdpCheck>),
    /// `FILE_CHECK`
    File(Box<FileCheck>),
    /// `BFD_CHECK`
    Bfd(Box<BfdCheck>),
}

impl Checker {
    /// The keyword that it was written with.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "TCP_CHECK",
            Self::Http(check) if check.protocol == HttpProtocol::V2 => "HTTP2_GET",
            Self::Http(check) if check.secure => "SSL_GET",
            Self::Http(_) => "HTTP_GET",
            Self::Grpc(_) => "GRPC_CHECK",
            Self::Smtp(_) => "SMTP_CHECK",
            Self::Dns(_) => "DNS_CHECK",
            Self::Misc(_) => "MISC_CHECK",
            Self::Ping(_) => "PING_CHECK",
            Self::Udp(_) => "UDP_CHECK",
            Self::File(_) => "FILE_CHECK",
            Self::Bfd(_) => "BFD_CHECK",
        }
    }

    /// When it runs; `None` if others tell its result.
    pub fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::Tcp(check) => Some(&check.schedule),
            Self::Http(check) => Some(&check.schedule),
            Self::Grpc(check) => Some(&check.schedule),
            Self::Smtp(check) => Some(&check.schedule),
            Self::Dns(check) => Some(&check.schedule),
            Self::Misc(check) => Some(&check.schedule),
            Self::Ping(check) => Some(&check.schedule),
            Self::Udp(check) => Some(&check.schedule),
            Self::File(_) | Self::Bfd(_) => None,
        }
    }

    /// As [`Self::schedule`], to be changed.
    pub fn schedule_mut(&mut self) -> Option<&mut Schedule> {
        match self {
            Self::Tcp(check) => Some(&mut check.schedule),
            Self::Http(check) => Some(&mut check.schedule),
            Self::Grpc(check) => Some(&mut check.schedule),
            Self::Smtp(check) => Some(&mut check.schedule),
            Self::Dns(check) => Some(&mut check.schedule),
            Self::Misc(check) => Some(&mut check.schedule),
            Self::Ping(check) => Some(&mut check.schedule),
            Self::Udp(check) => Some(&mut check.schedule),
            Self::File(_) | Self::Bfd(_) => None,
        }
    }

    /// What it connects to; `None` for those that do not.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Tcp(check) => Some(&check.endpoint),
            Self::Http(check) => Some(&check.endpoint),
            Self::Grpc(check) => Some(&check.endpoint),
            Self::Smtp(check) => Some(&check.endpoint),
            Self::Dns(check) => Some(&check.endpoint),
            Self::Ping(check) => Some(&check.endpoint),
            Self::Udp(check) => Some(&check.endpoint),
            Self::Misc(_) | Self::File(_) | Self::Bfd(_) => None,
        }
    }
}

/// When a check runs, and how many failures it forgives.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// `delay_loop`: from one check to the next.
    pub delay_loop: Micros,
    /// `delay_before_retry`: the same after a failure that is forgiven.
    pub delay_before_retry: Micros,
    /// `warmup`: the first check comes at a random moment within it.
    pub warmup: Micros,
    /// `retry`: how many failures in a row are forgiven while it is up.
    pub retry: u32,
    /// `alpha`: failed until it first succeeds.
    pub alpha: bool,
    /// `log_all_failures`, or `checker_log_all_failures`
    pub log_all_failures: bool,
}

/// What a check connects to, and how.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// `connect_ip`, or the real server's.
    pub address: IpAddr,
    /// `connect_port`, or the real server's; `None` if there is none (a check that needs one fails).
    pub port: Option<NonZeroU16>,
    /// `connect_timeout`
    pub connect_timeout: Micros,
    /// Where it comes from, if anything is said about that.
    pub origin: Option<Box<Origin>>,
}

/// Where a check comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// `bindto`
    pub address: Option<IpAddr>,
    /// `bind_port`
    pub port: Option<NonZeroU16>,
    /// `bind_if`
    pub interface: Option<InterfaceName>,
    /// `fwmark`; 0 is none.
    pub fwmark: u32,
}

/// `TCP_CHECK`: it connects.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TcpCheck {
    /// When.
    pub schedule: Schedule,
    /// Where.
    pub endpoint: Endpoint,
}

/// `PING_CHECK`: it answers an echo request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PingCheck {
    /// When.
    pub schedule: Schedule,
    /// Where; the port does not count.
    pub endpoint: Endpoint,
}

/// `HTTP_GET`, `SSL_GET` and `HTTP2_GET`: every url answers as it should.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HttpCheck {
    /// When.
    pub schedule: Schedule,
    /// Where.
    pub endpoint: Endpoint,
    /// `SSL_GET`, or `tls` of `HTTP2_GET`
    pub secure: bool,
    /// `tls_verify`: the server must show a certificate that is good for it.
    pub verify: bool,
    /// `http_protocol`, or that of `HTTP2_GET`
    pub protocol: HttpProtocol,
    /// `enable_sni`, `sni_name`
    pub sni: Sni,
    /// `fast_recovery`: no pause between urls at start and on the way back.
    pub fast_recovery: bool,
    /// `tls_compliant`: say goodbye before closing.
    pub tls_compliant: bool,
    /// `virtualhost` of the check itself; see `host`.
    pub virtualhost: Option<String>,
    /// At least one.
    pub urls: Vec<Url>,
}

/// `GRPC_CHECK`: a gRPC server says that a service of it is serving.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GrpcCheck {
    /// When.
    pub schedule: Schedule,
    /// Where.
    pub endpoint: Endpoint,
    /// `tls`
    pub secure: bool,
    /// `tls_verify`: the server must show a certificate that is good for it.
    pub verify: bool,
    /// `enable_sni`, `sni_name`
    pub sni: Sni,
    /// `virtualhost` of the check itself; see `host`.
    pub virtualhost: Option<String>,
    /// `service`: what is asked about; empty is the server as a whole.
    pub service: String,
}

/// `http_protocol`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum HttpProtocol {
    /// `1.0`
    #[default]
    V1_0,
    /// `1.0C`: 1.0 with `Connection: close`.
    V1_0Close,
    /// `1.1`, with `Connection: close`.
    V1_1,
    /// That of `HTTP2_GET`.
    V2,
}

/// Which name the TLS handshake carries.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Sni {
    /// None.
    #[default]
    Off,
    /// `enable_sni`: the host that is asked for.
    Host,
    /// `sni_name`
    Name(String),
}

/// `url`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Url {
    /// `path`
    pub path: String,
    /// `status_code`: what is good; at least one range.
    pub status_codes: Vec<StatusRange>,
    /// `digest`: MD5 of the body.
    pub digest: Option<[u8; 16]>,
    /// `virtualhost` of the url itself.
    pub virtualhost: Option<String>,
    /// `tls_compliant` for this url.
    pub tls_compliant: bool,
    /// `regex` and what belongs to it.
    pub regex: Option<Box<Regex>>,
}

/// From one status code to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StatusRange {
    /// 100 to 599
    pub first: u16,
    /// Not less than `first`.
    pub last: u16,
}

impl StatusRange {
    /// What is good if nothing is said.
    pub const SUCCESS: Self = Self { first: 200, last: 299 };
}

/// `regex`: what the body must look like. The pattern has not been compiled.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Regex {
    /// For PCRE2.
    pub pattern: String,
    /// `regex_no_match`: it must not be found.
    pub no_match: bool,
    /// `regex_options`
    pub options: Vec<String>,
    /// `regex_min_offset`: octets of the body that are not searched.
    pub min_offset: u32,
    /// `regex_max_offset`: where a match starts at the latest.
    pub max_offset: Option<u32>,
    /// `regex_stack`: first and greatest size of the stack.
    pub stack: Option<(u32, u32)>,
}

/// `SMTP_CHECK`: a greeting, HELO, QUIT.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SmtpCheck {
    /// When.
    pub schedule: Schedule,
    /// Where.
    pub endpoint: Endpoint,
    /// `helo_name`
    pub helo_name: String,
}

/// `DNS_CHECK`: a query over UDP is answered without error.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DnsCheck {
    /// When.
    pub schedule: Schedule,
    /// Where.
    pub endpoint: Endpoint,
    /// `type`
    pub query: DnsQuery,
    /// `name`, without a dot at the end; the root is `.`.
    pub name: String,
}

/// `type` of a `DNS_CHECK`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsQuery {
    /// Address.
    A,
    /// Name server.
    Ns,
    /// Other name.
    Cname,
    /// Start of authority; what is asked if nothing is said.
    Soa,
    /// Mail exchanger.
    Mx,
    /// Text.
    Txt,
    /// IPv6 address.
    Aaaa,
}

/// `MISC_CHECK`: a program says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MiscCheck {
    /// When.
    pub schedule: Schedule,
    /// `misc_path`, `user`
    pub script: Script,
    /// `misc_timeout`, or the virtual server's `delay_loop`.
    pub timeout: Duration,
    /// `misc_dynamic`: exit statuses from 2 on set the weight.
    pub dynamic: bool,
}

/// `UDP_CHECK`: a datagram is not refused, or is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UdpCheck {
    /// When.
    pub schedule: Schedule,
    /// Where.
    pub endpoint: Endpoint,
    /// `payload`; `None` is a text of ours.
    pub payload: Option<Vec<u8>>,
    /// `require_reply`
    pub reply: Option<UdpReply>,
}

/// What a reply must look like.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UdpReply {
    /// Octets and their masks, compared as far as both reach.
    pub pattern: Vec<MaskedOctet>,
    /// `min_reply_length`
    pub min_length: u16,
    /// `max_reply_length`
    pub max_length: u16,
}

/// An octet, and the bits of it that count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct MaskedOctet {
    /// 0 where `mask` is.
    pub value: u8,
    /// The bits that count.
    pub mask: u8,
}

/// `FILE_CHECK`: the number in a file adds to the weight.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileCheck {
    /// A `track_file` that exists.
    pub track_file: String,
    /// `weight`, or the track file's.
    pub weight: FileWeight,
}

/// What the number in a file is multiplied with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct FileWeight {
    /// 0: any number but 0 is a failure.
    pub multiplier: i32,
    /// `reverse` or `noreverse`, or the track file's.
    pub reverse: bool,
}

/// `BFD_CHECK`: a session is up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BfdCheck {
    /// A `bfd_instance` that exists and tells checkers.
    pub instance: String,
    /// `alpha`: failed until the session is up.
    pub alpha: bool,
}

/// `SSL`: what checks over TLS show and believe.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Ssl {
    /// `password` of the key.
    pub password: Option<String>,
    /// `ca`
    pub ca: Option<String>,
    /// `certificate`
    pub certificate: Option<String>,
    /// `key`
    pub key: Option<String>,
    /// `tls_verify`, for checks that say nothing about it.
    pub verify: bool,
}
