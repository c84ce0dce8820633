//! `bfd_instance`. One row per keyword; see `Keyword` for the columns.

use super::value::{Value, int, millis};
use super::{Keyword, Table, rows};

rows! {
    in "bfd_instance" => {
        "source_ip", "IP[%INTERFACE]", Value::Address, "any", "of the neighbour's family", "", "Our address", "bfd" => Keyword, Effective, shown "bfd::a_session_with_each_peer_comes_up_and_goes_down_with_the_path";
        "neighbor_ip", "IP[%INTERFACE]", Value::Address, "required", "with source_ip, once", "", "The neighbour's address", "bfd" => Keyword, Effective, missing Error, shown "bfd::a_session_with_each_peer_comes_up_and_goes_down_with_the_path", details "A link-local address is followed by % and the interface, as in fe80::1%eth0; keepalived cannot send to one.";
        "neighbour_ip", "IP[%INTERFACE]", Value::Address, "required", "", "another spelling of neighbor_ip", "The neighbour's address", "bfd" => Keyword, Effective, missing Error, shown "bfd::what_instances_track_brings_a_fault_and_another_priority";
        "min_rx", "MILLISECONDS", millis(1000, 4_294_967_000), "10", "above 10000 is reported", "", "Milliseconds: how often we can take packets", "bfd" => Keyword, Effective, shown "bfd_session::the_detection_time_is_the_neighbours", details "The neighbour sends no faster than this; with the neighbour's multiplier it is the time of detection.";
        "min_tx", "MILLISECONDS", millis(1000, 4_294_967_000), "10", "", "", "Milliseconds: how often we want to send", "bfd" => Keyword, Effective, shown "bfd_session::packets_come_as_often_as_both_sides_want";
        "idle_tx", "MILLISECONDS", millis(1_000_000, 4_294_967_000), "1000", "", "", "Milliseconds from one packet to the next while the session is down", "bfd" => Keyword, Effective, shown "bfd_session::an_idle_interval_of_less_than_a_second_does_not_count";
        "multiplier", "N", int(1, 255), "5", "", "", "Packets that may be missing", "bfd" => Keyword, Effective, shown "bfd_session::a_reload_keeps_a_session_up", details "The neighbour takes us for dead after so many of our intervals without a packet.";
        "passive", "none", Value::None, "active", "", "", "Wait until the neighbour begins", "bfd" => Keyword, Effective, shown "bfd_session::a_passive_session_says_nothing_until_it_hears";
        "ttl", "N", int(1, 255), "255 for IPv4", "", "", "TTL of our packets", "bfd" => Keyword, Effective, shown "bfd_lower::packets_from_as_far_as_max_hops_are_taken";
        "hoplimit", "N", int(1, 255), "64 for IPv6", "", "another spelling of ttl", "Hop limit of our packets", "bfd" => Keyword, Effective, shown "bfd_lower::packets_from_as_far_as_max_hops_are_taken";
        "max_hops", "N", int(-1, 255), "0", "not above ttl", "", "Routers that a packet may have passed; 255: any", "bfd" => Keyword, Effective, shown "bfd_sessions::what_came_from_afar_is_discarded_and_counted", details "0 takes packets from the same link only (RFC 5881, generalised TTL security).";
        "multihop", "[BOOL]", Value::Switch, "off", "", "", "The neighbour is not on the same link (RFC 5883, port 4784)", "bfd" => Keyword, Effective, since "2.2.8", shown "bfd::a_neighbour_behind_a_router_is_reached";
        "weight", "N [reverse]", Value::Words, "0", "-253 to 253", "", "What track_bfd adds to the priority, unless it says otherwise", "bfd" => Keyword, Effective, shown "bfd::what_instances_track_brings_a_fault_and_another_priority";
        "vrrp", "none", Value::None, "both", "", "", "Tell the vrrp process, and the checker process only if checker stands here, too", "bfd" => Keyword, Effective, shown "bfd::a_real_server_follows_a_session";
        "checker", "none", Value::None, "both", "", "", "Tell the checker process, and the vrrp process only if vrrp stands here, too", "bfd" => Keyword, Effective, shown "bfd::a_real_server_follows_a_session";
    }
}
