//! Words inside the lines of value blocks: addresses, routes, rules, trackers. One row per keyword; see `Keyword` for
//! the columns.

use super::value::{Value, int};
use super::{Keyword, Table, rows};

rows! {
    in "<address line>" => {
        "ADDR[/PREFIX]", "IPv4 or IPv6", Value::Words, "prefix 32 or 128", "", "", "The address, the first word of the line", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "dev", "IFNAME", Value::Interface, "the instance's; of static ones default_interface", "", "", "Interface that it goes on", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "scope", "NAME or N", Value::Words, "global", "host, link, global, site, nowhere or a number; IPv4 only", "", "Its scope", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "brd", "ADDR, + or -", Value::Words, "none", "IPv4 only; + is the last address of the network, - the first", "", "Its broadcast address", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "broadcast", "ADDR, + or -", Value::Words, "none", "as brd", "another spelling of brd", "Its broadcast address", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "label", "STRING", Value::Text, "none", "at most 15 characters; IPv4 only", "", "Its label, as `ip address` shows it", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "peer", "ADDR", Value::Words, "none", "of the same family, without a prefix; not with brd", "", "The other end of a point-to-point link", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "home", "none", Value::None, "", "IPv6", "", "Marks it as a home address (Mobile IPv6)", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "-nodad", "none", Value::None, "", "IPv6", "", "Look for a duplicate before using it; without, it is used at once, as a takeover needs it", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "mngtmpaddr", "none", Value::None, "", "IPv6", "", "The kernel makes temporary addresses from it", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "noprefixroute", "none", Value::None, "", "", "", "No route to its network", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "autojoin", "none", Value::None, "", "", "", "Join its multicast group, if it is one", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "no_track", "none", Value::None, "tracked", "", "", "The instance does not care when others delete it; it is put back", "route-rule" => LineOption, Effective, shown "engine::an_address_that_is_not_tracked_concerns_nobody", details "Nor does its interface, if that is another than the instance's: without no_track an address `dev eth1` whose eth1 is down or missing is a FAULT.";
        "preferred_lft", "SECS or forever", Value::Words, "0 for an IPv6 /128, else forever", "0 to 4294967295", "", "Seconds that it is preferred as a source; 0: not chosen unless asked for", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "track_group", "NAME", Value::Text, "none", "static ones only", "", "Group of instances that are in FAULT while its interface is down", "route-rule" => LineOption, Effective, shown "engine::what_is_static_may_track_a_group";
        "use_vmac", "none", Value::None, "off", "not for static ones", "", "Put it on a virtual MAC interface", "vmac" => LineOption, Effective, shown "engine::addresses_come_on_the_virtual_mac_of_their_interface_and_family";
    }
    in "<route line>" => {
        "[to] [TYPE] DEST", "PREFIX or default", Value::Choice(&["PREFIX", "default"]), "unicast", "types unicast local broadcast anycast multicast blackhole unreachable prohibit throw xresolve nat", "", "Destination", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "inet", "none", Value::None, "", "the destination after it needs to: inet to PREFIX", "", "Force IPv4", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "inet6", "none", Value::None, "", "the destination after it needs to: inet6 to PREFIX", "", "Force IPv6", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "src", "ADDR", Value::Address, "", "", "", "Preferred source", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "as", "[to] ADDR", Value::Words, "", "refused, as by keepalived", "", "Label swap of MPLS", "route-rule" => LineOption, Idle("a line with it is refused, by keepalived, too");
        "via", "[inet/inet6] ADDR", Value::Words, "", "", "", "Gateway", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "gw", "ADDR", Value::Address, "", "", "", "Gateway", "route-rule" => LineOption, Deprecated("via", Reported, Effective), shown "engine::options_of_a_route_reach_the_kernel";
        "from", "PREFIX", Value::Words, "", "IPv6 only", "", "Source prefix", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "tos", "N or name", Value::Words, "0", "", "", "Type of service", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "dsfield", "N or name", Value::Words, "0", "", "another spelling of tos", "Type of service", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "table", "N or name", Value::Words, "main", "", "", "Routing table", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "protocol", "N or name", Value::Words, "keepalived (18)", "18 unless no_track", "", "Who made it", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "scope", "N or name", Value::Words, "", "", "", "Route scope", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "metric", "N", int(0, 4_294_967_295), "", "", "", "Metric", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "priority", "N", int(0, 4_294_967_295), "", "", "another spelling of metric", "Metric", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "preference", "N", int(0, 4_294_967_295), "", "", "another spelling of metric", "Metric", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "dev", "IFNAME", Value::Interface, "", "", "", "Output interface", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "oif", "IFNAME", Value::Interface, "", "", "another spelling of dev", "Output interface", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "onlink", "none", Value::None, "", "", "", "The gateway is on the link, whatever its address says", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "encap", "ip/ip6 (id dst src tos/tc ttl/hoplimit flags), mpls LABELS, ila LOCATOR", Value::Words, "", "", "", "Lightweight tunnel", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "expires", "WHOLE_SECONDS", int(0, 4_294_967_295), "", "IPv6 only", "", "Seconds after which it goes", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "mtu", "[lock] N", int(0, 4_294_967_295), "", "", "", "MTU of the path; with lock it is not learnt", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "hoplimit", "N", int(0, 255), "", "", "", "Hop limit", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "advmss", "[lock] N", int(0, 4_294_967_295), "", "", "", "Segment size that TCP announces", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "rtt", "[lock] TIME", Value::Words, "", "with a unit as iproute2 has it (200ms, 1s); at least 200ms", "", "First estimate of the round trip", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "rttvar", "[lock] TIME", Value::Words, "", "with a unit as iproute2 has it (200ms, 1s); at least 200ms", "", "First estimate of its variance", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "reordering", "[lock] N", int(0, 4_294_967_295), "", "", "", "Reordering metric", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "window", "N", int(0, 4_294_967_295), "", "", "", "Maximum window", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "cwnd", "[lock] N", int(0, 4_294_967_295), "", "", "", "Congestion window clamp", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "ssthresh", "[lock] N", int(0, 4_294_967_295), "", "", "", "Slow start threshold", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "realms", "[FROM/]TO", Value::Words, "", "IPv4 only", "", "Realms", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "rto_min", "[lock] TIME", Value::Words, "", "with a unit as iproute2 has it (200ms, 1s); at least 200ms", "", "Least time before TCP sends again", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "initcwnd", "N", int(0, 4_294_967_295), "", "", "", "Initial congestion window", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "initrwnd", "N", int(0, 4_294_967_295), "", "", "", "Initial receive window", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "features", "ecn", Value::Choice(&["ecn"]), "", "", "", "Feature bits", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "quickack", "0 or 1", Value::Choice(&["0", "1"]), "", "", "", "Quick ACK", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "congctl", "[lock] NAME", Value::Words, "", "", "", "Algorithm of congestion control", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "pref", "low, medium, high or N", Value::Words, "", "IPv6 only", "", "Router preference", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "ttl-propagate", "enabled or disabled", Value::Choice(&["enabled", "disabled"]), "", "", "", "MPLS TTL propagation", "route-rule" => LineOption, Effective, shown "engine::what_a_route_asks_of_its_place_is_asked";
        "fastopen_no_cookie", "0 or 1", Value::Choice(&["0", "1"]), "", "", "", "TCP fast open without cookie", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "add", "none", Value::None, "", "", "", "Only if there is none like it", "route-rule" => LineOption, Effective, shown "engine::what_a_route_asks_of_its_place_is_asked";
        "prepend", "none", Value::None, "", "", "", "Before those like it; this is the default", "route-rule" => LineOption, Effective, shown "engine::what_a_route_asks_of_its_place_is_asked";
        "append", "none", Value::None, "", "", "", "After those like it", "route-rule" => LineOption, Effective, shown "engine::what_a_route_asks_of_its_place_is_asked";
        "or", "ADDR", Value::Address, "", "once", "", "A second gateway", "route-rule" => LineOption, Deprecated("nexthop", Reported, Effective), shown "engine::options_of_a_route_reach_the_kernel";
        "nexthop", "[via [inet/inet6] A] [dev IF] [weight 1..256] [onlink] [encap ...] [realms R]", Value::Words, "", "at the end of the line", "", "One of several ways; may stand several times", "route-rule" => LineOption, Effective, shown "engine::options_of_a_route_reach_the_kernel";
        "vrf", "IFNAME", Value::Interface, "", "a VRF", "", "Put it into the table of this VRF", "route-rule" => LineOption, Effective, shown "engine::a_route_in_a_vrf_is_in_its_table";
        "no_track", "none", Value::None, "tracked", "", "", "The instance does not care when others delete it", "route-rule" => LineOption, Effective, shown "engine::what_is_not_tracked_stays_away_until_the_next_takeover";
        "track_group", "NAME", Value::Text, "", "static ones only; needs dev", "", "Group of instances that are in FAULT while its interface is down", "route-rule" => LineOption, Effective, shown "engine::what_is_static_may_track_a_group";
    }
    in "<rule line>" => {
        "from", "PREFIX", Value::Words, "", "", "", "Source", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "to", "PREFIX", Value::Words, "", "", "", "Destination", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "inet", "none", Value::None, "", "after the selectors; the word that follows it is skipped", "", "Force IPv4", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "inet6", "none", Value::None, "", "after the selectors; the word that follows it is skipped", "", "Force IPv6", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "table", "N or name", Value::Words, "", "not 0", "", "Table to use", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "lookup", "N or name", Value::Words, "", "", "another spelling of table", "Table to use", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "not", "none", Value::None, "", "", "", "What does not match", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "preference", "N", int(0, 4_294_967_295), "16384 and downward, with a remark", "", "", "Its place among the rules", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel", details "Give it: without, the place depends on the order in the file, and moves at a reload.";
        "order", "N", int(0, 4_294_967_295), "", "", "another spelling of preference", "Its place among the rules", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "priority", "N", int(0, 4_294_967_295), "", "", "another spelling of preference", "Its place among the rules", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "tos", "N or name", Value::Words, "", "", "", "Type of service", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "dsfield", "N or name", Value::Words, "", "", "another spelling of tos", "Type of service", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "fwmark", "MARK[/MASK]", Value::Words, "", "decimal, octal or hexadecimal", "", "Firewall mark", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "realms", "[FROM/]TO", Value::Words, "", "IPv4 only", "", "Realms", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "suppress_prefixlength", "N", int(0, 2_147_483_647), "", "", "", "Ignore routes whose prefix is not longer than this", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "sup_pl", "N", int(0, 2_147_483_647), "", "", "another spelling of suppress_prefixlength", "Ignore routes whose prefix is not longer than this", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "suppress_ifgroup", "GROUP", Value::Words, "", "", "", "Ignore routes through interfaces of this group", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "sup_group", "GROUP", Value::Words, "", "", "another spelling of suppress_ifgroup", "Ignore routes through interfaces of this group", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "iif", "IFNAME", Value::Interface, "", "", "", "Input interface", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "dev", "IFNAME", Value::Interface, "", "", "another spelling of iif", "Input interface", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "oif", "IFNAME", Value::Interface, "", "", "", "Output interface", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "tunnel-id", "N", int(0, 4_294_967_295), "", "", "", "Tunnel that it came through", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "uidrange", "A-B", Value::Words, "", "", "", "Users whose sockets send it", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "l3mdev", "none", Value::None, "", "instead of a table", "", "Use the table of the VRF", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "protocol", "N or name", Value::Words, "keepalived (18)", "18 unless no_track", "", "Who made it", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "ipproto", "N or name", Value::Words, "", "", "", "Protocol", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "sport", "A-B", Value::Words, "", "for one port write it twice: 80-80", "", "Source ports", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "dport", "A-B", Value::Words, "", "for one port write it twice: 80-80", "", "Destination ports", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "[type] goto", "PREF", Value::Words, "", "> own preference", "", "Jump to rule", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "[type] nop", "none", Value::None, "", "", "", "No operation", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "[type] blackhole/unreachable/prohibit", "none", Value::None, "", "", "", "Rule action", "route-rule" => LineOption, Effective, shown "engine::options_of_a_rule_reach_the_kernel";
        "no_track", "none", Value::None, "tracked", "", "", "The instance does not care when others delete it", "route-rule" => LineOption, Effective, shown "engine::what_is_not_tracked_stays_away_until_the_next_takeover";
        "track_group", "NAME", Value::Text, "", "static ones only; needs iif", "", "Group of instances that are in FAULT while its interface is down", "route-rule" => LineOption, Effective, shown "engine::what_is_static_may_track_a_group";
    }
    in "<track line>" => {
        "weight", "N", int(-254, 254), "that of what is tracked", "interfaces, scripts and BFD sessions -253 to 253", "", "What is added to the priority here", "script-track" => LineOption, Effective, shown "tracker::a_weight_counts_while_up_or_while_down", details "0 means FAULT on failure. A positive weight is added while it works, a negative one while it does not.";
        "reverse", "none", Value::None, "", "", "", "Count working as failing, and failing as working", "script-track" => LineOption, Effective, shown "tracker::a_weight_counts_while_up_or_while_down";
        "noreverse", "none", Value::None, "", "not for interfaces", "", "Take reverse back that the definition says", "script-track" => LineOption, Effective, shown "tracker::a_weight_counts_while_up_or_while_down";
    }
}
