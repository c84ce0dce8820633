//! `bfd_instance`. One row per keyword; see `Keyword` for the columns.

use super::{Keyword, rows};

rows! {
    in "bfd_instance" {
        "source_ip", "IP", "unspecified", "family must match neighbour", "", "Local address", "bfd" => Keyword, Accepted;
        "neighbor_ip", "IP", "required", "unique with source; missing value crashes upstream", "", "Remote address", "bfd" => Keyword, Accepted, missing Error;
        "neighbour_ip", "IP", "required", "missing value crashes upstream", "alias of neighbor_ip", "Remote address", "bfd" => Keyword, Accepted, missing Error;
        "min_rx", "MS (decimal, us)", "10", "1..4294967; note above 10000", "", "Required minimum receive interval", "bfd" => Keyword, Accepted;
        "min_tx", "MS (decimal, us)", "10", "1..4294967", "", "Desired minimum transmit interval", "bfd" => Keyword, Accepted;
        "idle_tx", "MS (decimal, us)", "1000", "1000..4294967", "", "Transmit interval while down", "bfd" => Keyword, Accepted;
        "multiplier", "N", "5", "1..255", "", "Detection multiplier", "bfd" => Keyword, Accepted;
        "passive", "none", "active", "", "", "Wait for neighbour to start", "bfd" => Keyword, Accepted;
        "ttl", "N", "255 for IPv4", "1..255", "", "TTL of sent packets", "bfd" => Keyword, Accepted;
        "hoplimit", "N", "64 for IPv6", "1..255", "same handler as ttl", "Hop limit of sent packets", "bfd" => Keyword, Accepted;
        "max_hops", "N", "0", "-1..255; capped at ttl", "", "Maximum hops a received packet may have used; 255 disables", "bfd" => Keyword, Accepted;
        "multihop", "[BOOL]", "off", "BOOL", "", "Use port 4784 (RFC 5883)", "bfd" => Keyword, Accepted;
        "weight", "N [reverse]", "0", "-253..253", "", "Default priority change for track_bfd", "bfd" => Keyword, Accepted;
        "vrrp", "none", "both", "", "", "Send events to VRRP process (only, unless checker too)", "bfd" => Keyword, Accepted;
        "checker", "none", "both", "", "", "Send events to checker process (only, unless vrrp too)", "bfd" => Keyword, Accepted;
    }
}
