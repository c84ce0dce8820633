//! What IPVS can do and nftables cannot.

use std::fmt;

use super::types::Forwarding;

/// Something that IPVS does and nftables does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsupported {
    /// `lvs_method DR`, of a kernel that cannot
    DirectRouting,
    /// `lvs_method` NAT and DR in one virtual server
    Mixed,
    /// `lvs_method TUN`
    Tunnel,
    /// `ops`
    OnePacket,
    /// `persistence_engine`
    PersistenceEngine,
    /// `uthreshold`, `lthreshold`
    Thresholds,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DirectRouting => "DR needs nft_dup_ipv4 and nft_dup_ipv6, which this kernel does not have",
            Self::Mixed => "NAT and DR in one virtual server need IPVS: nftables forwards to all its servers alike",
            Self::Tunnel => "TUN needs IPVS: nftables cannot wrap packets",
            Self::OnePacket => "ops needs IPVS: with nftables all packets of a connection go to one server",
            Self::PersistenceEngine => "persistence_engine needs IPVS: nftables knows a client by its address only",
            Self::Thresholds => "uthreshold and lthreshold need IPVS: nftables does not count a server's connections",
        })
    }
}

impl std::error::Error for Unsupported {}

impl Unsupported {
    /// What a service asks for that nftables does not do: `one_packet` is `ops`, `engine` is `persistence_engine`.
    pub fn in_service(one_packet: bool, engine: Option<&str>) -> Option<Self> {
        if one_packet { Some(Self::OnePacket) } else { engine.map(|_| Self::PersistenceEngine) }
    }

    /// What a server asks for that nftables does not do: `thresholds` are numbers of connections, 0 is none. Whether the
    /// kernel can do direct routing is known when it has been asked.
    pub fn in_server(forwarding: Forwarding, thresholds: [u32; 2]) -> Option<Self> {
        match forwarding {
            Forwarding::Nat | Forwarding::Dr => (thresholds != [0, 0]).then_some(Self::Thresholds),
            Forwarding::Tun(_) => Some(Self::Tunnel),
        }
    }

    /// What servers of one service ask for together that nftables does not do.
    pub fn in_servers(forwarding: impl IntoIterator<Item = Forwarding>) -> Option<Self> {
        let mut all = forwarding.into_iter();
        let first = all.next()?;
        all.any(|other| other != first).then_some(Self::Mixed)
    }

    /// What to do about it.
    pub fn way_out(self) -> &'static str {
        match self {
            Self::Mixed => "use one lvs_method for all its servers, sorry_server_lvs_method too, or lvs_backend ipvs",
            Self::DirectRouting | Self::Tunnel => "use lvs_method NAT or lvs_backend ipvs",
            Self::OnePacket | Self::PersistenceEngine => "leave it out or use lvs_backend ipvs",
            Self::Thresholds => "leave them out or use lvs_backend ipvs",
        }
    }
}
