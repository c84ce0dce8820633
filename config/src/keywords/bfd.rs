//! `bfd_instance`. One row per keyword; see `Keyword` for the columns.

use super::value::{Value, int, millis};
use super::{Keyword, Table, rows};

rows! {
    in "bfd_instance" => {
        "source_ip", "IP", Value::Address, "unspecified", "family must match neighbour", "", "Local address", "bfd" => Keyword, Accepted;
        "neighbor_ip", "IP", Value::Address, "required", "unique with source; missing value crashes upstream", "", "Remote address", "bfd" => Keyword, Accepted, missing Error;
        "neighbour_ip", "IP", Value::Address, "required", "missing value crashes upstream", "alias of neighbor_ip", "Remote address", "bfd" => Keyword, Accepted, missing Error;
        "min_rx", "MS (decimal, us)", millis(1000, 4_294_967_000), "10", "note above 10000", "", "Required minimum receive interval", "bfd" => Keyword, Accepted, details "The neighbour sends no faster than this; with the neighbour's multiplier it is the time of detection.";
        "min_tx", "MS (decimal, us)", millis(1000, 4_294_967_000), "10", "", "", "Desired minimum transmit interval", "bfd" => Keyword, Accepted;
        "idle_tx", "MS (decimal, us)", millis(1_000_000, 4_294_967_000), "1000", "", "", "Transmit interval while down", "bfd" => Keyword, Accepted;
        "multiplier", "N", int(1, 255), "5", "", "", "Detection multiplier", "bfd" => Keyword, Accepted, details "The neighbour takes us for dead after so many of our intervals without a packet.";
        "passive", "none", Value::None, "active", "", "", "Wait for neighbour to start", "bfd" => Keyword, Accepted;
        "ttl", "N", int(1, 255), "255 for IPv4", "", "", "TTL of sent packets", "bfd" => Keyword, Accepted;
        "hoplimit", "N", int(1, 255), "64 for IPv6", "", "same handler as ttl", "Hop limit of sent packets", "bfd" => Keyword, Accepted;
        "max_hops", "N", int(-1, 255), "0", "capped at ttl", "", "Maximum hops a received packet may have used; 255 disables", "bfd" => Keyword, Accepted, details "0 takes packets from the same link only (RFC 5881, generalised TTL security).";
        "multihop", "[BOOL]", Value::Switch, "off", "", "", "Use port 4784 (RFC 5883)", "bfd" => Keyword, Accepted, since "2.2.8";
        "weight", "N [reverse]", Value::Words, "0", "-253..253", "", "Default priority change for track_bfd", "bfd" => Keyword, Accepted;
        "vrrp", "none", Value::None, "both", "", "", "Send events to VRRP process (only, unless checker too)", "bfd" => Keyword, Accepted;
        "checker", "none", Value::None, "both", "", "", "Send events to checker process (only, unless vrrp too)", "bfd" => Keyword, Accepted;
    }
}
