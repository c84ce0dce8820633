//! How adverts are known to come from a router of ours, beside the checks of [`super::receive`].
//!
//! A password (RFC 2338 §5.3.6) tells two pairs apart that share a VRID by mistake. The authentication header
//! ([`header`]) and the trailer ([`hmac`]) hold a keyed digest and a sequence number.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::params::{Params, Reach};
use super::types::Password;

pub mod header;
pub mod hmac;

use hmac::Hmac;

/// What an instance is configured to authenticate adverts with. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Authentication {
    /// Nothing.
    #[default]
    None,
    /// `auth_type PASS`; version 2 over IPv4 only.
    Password(Password),
    /// `auth_type AH`; version 2 over IPv4 only.
    Header(Password),
    /// `auth_hmac`
    Hmac(Box<Hmac>),
}

/// The kinds of [`Authentication`], for those who may not know the secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum AuthenticationKind {
    /// None.
    #[default]
    None,
    /// `auth_type PASS`
    Password,
    /// `auth_type AH`
    Header,
    /// `auth_hmac`
    Hmac,
}

impl Authentication {
    /// The same kind without its secret, for a process that shows it.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        let nothing = Password::truncated(b"");
        match self {
            Self::None => Self::None,
            Self::Password(_) => Self::Password(nothing),
            Self::Header(_) => Self::Header(nothing),
            Self::Hmac(hmac) => Self::Hmac(Box::new(Hmac { keys: Vec::new(), ..(**hmac).clone() })),
        }
    }

    /// What kind it is.
    pub const fn kind(&self) -> AuthenticationKind {
        match self {
            Self::None => AuthenticationKind::None,
            Self::Password(_) => AuthenticationKind::Password,
            Self::Header(_) => AuthenticationKind::Header,
            Self::Hmac(_) => AuthenticationKind::Hmac,
        }
    }
}

/// The sequence number of one advert: all its copies, one for each peer, bear the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seal {
    /// Without.
    None,
    /// In the authentication header.
    Header(u32),
    /// In the trailer.
    Hmac(u64),
}

/// Sequence numbers of one router: the last one that it sent, and those that it heard. They stay across a reload.
#[derive(Clone, Debug, Default)]
pub struct Authenticator {
    header: header::Counter,
    sent: u64,
    heard: hmac::Heard,
}

impl Authenticator {
    /// The seal of the next advert; `utc` is the time since 1970. `None`: the numbers of the authentication header have
    /// run out, and the router has to fall silent.
    pub fn next(&mut self, params: &Params, utc: Duration) -> Option<Seal> {
        match &params.authentication {
            Authentication::None | Authentication::Password(_) => Some(Seal::None),
            Authentication::Header(_) => self.header.next().map(Seal::Header),
            Authentication::Hmac(hmac) if hmac.signs() => {
                self.sent = hmac::next(self.sent, hmac.replay, utc);
                Some(Seal::Hmac(self.sent))
            }
            Authentication::Hmac(_) => Some(Seal::None),
        }
    }

    /// The router becomes master: numbers that have run out begin anew.
    pub const fn begin_as_master(&mut self) {
        self.header.restart();
    }

    /// Notes the number of an authentication header that is genuine; false if it does not grow.
    pub const fn heard_header(&mut self, sequence: u32) -> bool {
        self.header.hear(sequence)
    }

    /// Notes the number of a trailer that is genuine; false if it does not grow.
    pub(super) fn heard_hmac(
        &mut self,
        params: &Params,
        hmac: &Hmac,
        source: IpAddr,
        sequence: u64,
        utc: Duration,
    ) -> bool {
        let most = match &params.reach {
            Reach::Multicast(_) => hmac::MULTICAST_SENDERS,
            Reach::Unicast { peers, .. } => peers.len(),
        };
        self.heard.hear(source, sequence, most, hmac.replay, utc)
    }
}
