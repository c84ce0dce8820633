//! `bfd_instance`. One row per keyword; see `Keyword` for the columns.

use super::value::{Value, int, millis};
use super::{Keyword, Table, rows};

rows! {
    in "bfd_instance" => {
        "source_ip", "IP", Value::Address, "any", "of the neighbour's family", "", "Our address", "bfd" => Keyword, Accepted;
        "neighbor_ip", "IP", Value::Address, "required", "with source_ip, once", "", "The neighbour's address", "bfd" => Keyword, Accepted, missing Error;
        "neighbour_ip", "IP", Value::Address, "required", "", "another spelling of neighbor_ip", "The neighbour's address", "bfd" => Keyword, Accepted, missing Error;
        "min_rx", "MILLISECONDS", millis(1000, 4_294_967_000), "10", "above 10000 is reported", "", "Milliseconds: how often we can take packets", "bfd" => Keyword, Accepted, details "The neighbour sends no faster than this; with the neighbour's multiplier it is the time of detection.";
        "min_tx", "MILLISECONDS", millis(1000, 4_294_967_000), "10", "", "", "Milliseconds: how often we want to send", "bfd" => Keyword, Accepted;
        "idle_tx", "MILLISECONDS", millis(1_000_000, 4_294_967_000), "1000", "", "", "Milliseconds from one packet to the next while the session is down", "bfd" => Keyword, Accepted;
        "multiplier", "N", int(1, 255), "5", "", "", "Packets that may be missing", "bfd" => Keyword, Accepted, details "The neighbour takes us for dead after so many of our intervals without a packet.";
        "passive", "none", Value::None, "active", "", "", "Wait until the neighbour begins", "bfd" => Keyword, Accepted;
        "ttl", "N", int(1, 255), "255 for IPv4", "", "", "TTL of our packets", "bfd" => Keyword, Accepted;
        "hoplimit", "N", int(1, 255), "64 for IPv6", "", "another spelling of ttl", "Hop limit of our packets", "bfd" => Keyword, Accepted;
        "max_hops", "N", int(-1, 255), "0", "not above ttl", "", "Routers that a packet may have passed; 255: any", "bfd" => Keyword, Accepted, details "0 takes packets from the same link only (RFC 5881, generalised TTL security).";
        "multihop", "[BOOL]", Value::Switch, "off", "", "", "The neighbour is not on the same link (RFC 5883, port 4784)", "bfd" => Keyword, Accepted, since "2.2.8";
        "weight", "N [reverse]", Value::Words, "0", "-253 to 253", "", "What track_bfd adds to the priority, unless it says otherwise", "bfd" => Keyword, Accepted;
        "vrrp", "none", Value::None, "both", "", "", "Tell the vrrp process, and the checker process only if checker stands here, too", "bfd" => Keyword, Accepted;
        "checker", "none", Value::None, "both", "", "", "Tell the checker process, and the vrrp process only if vrrp stands here, too", "bfd" => Keyword, Accepted;
    }
}
