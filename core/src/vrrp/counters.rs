//! What a router counts. Names are those of keepalived's statistics where it has them.

use serde::{Deserialize, Serialize};

/// Counters of one router since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Adverts accepted for consideration.
    pub advert_rcvd: u64,
    /// Adverts sent.
    pub advert_sent: u64,
    /// Times it became master.
    pub become_master: u64,
    /// Times it left master.
    pub release_master: u64,
    /// Too short, too long, or fewer addresses than counted.
    pub packet_len_err: u64,
    /// Version 2: interval differs, refused. Version 3: differs, accepted and learnt.
    pub advert_interval_err: u64,
    /// Interval 0 in version 3, refused.
    pub zero_interval_err: u64,
    /// TTL or hop limit not 255.
    pub ip_ttl_err: u64,
    /// Version not ours.
    pub version_err: u64,
    /// Checksum right in none of its forms.
    pub checksum_err: u64,
    /// Type not 1.
    pub invalid_type_rcvd: u64,
    /// Address list differs (accepted), or destination is not the group.
    pub addr_list_err: u64,
    /// Version 2: no such authentication type.
    pub invalid_authtype: u64,
    /// Version 2: another authentication type than ours.
    pub authtype_mismatch: u64,
    /// Version 2: wrong password, or an authentication header that is wrong or old.
    pub auth_failure: u64,
    /// `auth_hmac`: without trailer.
    pub auth_ext_missing: u64,
    /// `auth_hmac`: a trailer of a kind that does not exist.
    pub auth_ext_malformed: u64,
    /// `auth_hmac`: a key that we do not have.
    pub auth_ext_unknown_key: u64,
    /// `auth_hmac`: another digest than that of the key.
    pub auth_ext_invalid_hmac: u64,
    /// `auth_hmac`: its time is too far from ours.
    pub auth_ext_stale: u64,
    /// `auth_hmac`: its number does not grow.
    pub auth_ext_replay: u64,
    /// Priority 0 received.
    pub pri_zero_rcvd: u64,
    /// Priority 0 sent.
    pub pri_zero_sent: u64,
    /// Unicast: source is no peer, or its TTL is out of the peer's range. All: a master's own address that claims no
    /// more than it did itself, or an address that no router can have.
    pub unknown_source: u64,
    /// Ignored because we own the addresses and are told to ignore.
    pub owner_ignored: u64,
    /// Version 3 over IPv4: right with pseudo-header.
    pub checksum_pseudo_header: u64,
    /// Version 3 over IPv4: right without pseudo-header (RFC 9568).
    pub checksum_plain: u64,
    /// Version 3 over IPv4: right with the group in the pseudo-header of a unicast advert.
    pub checksum_old_unicast: u64,
}

/// Counts one more; stays at the top rather than starting again.
pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
