//! Words inside the lines of value blocks: addresses, routes, rules, trackers. One row per keyword; see `Keyword` for the columns.

use super::value::{Value, int};
use super::{Keyword, Table, rows};

rows! {
    in "<address line>" => {
        "ADDR[/PREFIX]", "IPv4 or IPv6", Value::Words, "/32 or /128", "", "", "Address, first word of the line", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "dev", "IFNAME", Value::Interface, "instance interface; static: default_interface", "", "", "Interface", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "scope", "NAME or N", Value::Words, "global", "host link global site nowhere or number; IPv4 only", "", "Address scope", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "brd", "ADDR, + or -", Value::Words, "none", "IPv4 only; prefix <= 30 for + and -", "also broadcast", "Broadcast address", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "broadcast", "ADDR, + or -", Value::Words, "none", "", "alias of brd", "Broadcast address", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "label", "STRING", Value::Text, "none", "max 15 chars; IPv4 only", "", "Address label", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "peer", "ADDR", Value::Words, "none", "same family; with a /PREFIX it is an error; excludes broadcast", "", "Point-to-point peer", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "home", "none", Value::None, "", "no error on IPv4", "", "IFA_F_HOMEADDRESS", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "-nodad", "none", Value::None, "", "", "", "Clear default NODAD, so DAD runs", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "mngtmpaddr", "none", Value::None, "", "no error on IPv4", "", "IFA_F_MANAGETEMPADDR", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "noprefixroute", "none", Value::None, "", "", "", "IFA_F_NOPREFIXROUTE", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "autojoin", "none", Value::None, "", "", "", "IFA_F_MCAUTOJOIN", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "no_track", "none", Value::None, "tracked", "", "", "Deleting the address does not affect the instance", "route-rule" => LineOption, Effective, shown "engine::an_address_that_is_not_tracked_concerns_nobody";
        "preferred_lft", "SECS or forever", Value::Words, "0 for IPv6 /128, else forever", "0..UINT32_MAX", "", "Preferred lifetime", "route-rule" => LineOption, Effective, shown "engine::options_of_an_address_reach_the_kernel";
        "track_group", "NAME", Value::Text, "none", "static only", "", "Track group affected by deletion", "route-rule" => LineOption, Accepted;
        "use_vmac", "none", Value::None, "off", "virtual only", "", "Put this VIP on a VMAC of its interface", "vmac" => LineOption, Accepted;
    }
    in "<route line>" => {
        "[to] [TYPE] DEST", "PREFIX or default", Value::Choice(&["PREFIX", "default"]), "unicast", "types unicast local broadcast anycast multicast blackhole unreachable prohibit throw xresolve nat", "", "Destination", "route-rule" => LineOption, Accepted;
        "inet", "none", Value::None, "", "destination after it must be written with to (inet to PREFIX)", "", "Force IPv4", "route-rule" => LineOption, Accepted;
        "inet6", "none", Value::None, "", "destination after it must be written with to", "", "Force IPv6", "route-rule" => LineOption, Accepted;
        "src", "ADDR", Value::Address, "", "", "", "Preferred source", "route-rule" => LineOption, Accepted;
        "as", "[to] ADDR", Value::Words, "", "", "MPLS only, ignored", "Label swap", "route-rule" => LineOption, Accepted;
        "via", "[inet/inet6] ADDR", Value::Words, "", "", "gw", "Gateway", "route-rule" => LineOption, Accepted;
        "gw", "ADDR", Value::Address, "", "reports deprecation (-t exit 5)", "deprecated alias of via", "Gateway", "route-rule" => LineOption, Deprecated("via", Reported, Accepted);
        "from", "PREFIX", Value::Words, "", "IPv6 only", "", "Source prefix", "route-rule" => LineOption, Accepted;
        "tos", "N or name", Value::Words, "0", "", "dsfield", "TOS", "route-rule" => LineOption, Accepted;
        "dsfield", "N or name", Value::Words, "0", "", "alias of tos", "TOS", "route-rule" => LineOption, Accepted;
        "table", "N or name", Value::Words, "main", "", "", "Routing table", "route-rule" => LineOption, Accepted;
        "protocol", "N or name", Value::Words, "keepalived (18)", "must be 18 if tracked", "", "Route protocol", "route-rule" => LineOption, Accepted;
        "scope", "N or name", Value::Words, "", "", "", "Route scope", "route-rule" => LineOption, Accepted;
        "metric", "N", int(0, 4_294_967_295), "", "", "priority, preference", "Metric", "route-rule" => LineOption, Accepted;
        "priority", "N", int(0, 4_294_967_295), "", "", "alias of metric", "Metric", "route-rule" => LineOption, Accepted;
        "preference", "N", int(0, 4_294_967_295), "", "", "alias of metric", "Metric", "route-rule" => LineOption, Accepted;
        "dev", "IFNAME", Value::Interface, "", "", "oif", "Output interface", "route-rule" => LineOption, Accepted;
        "oif", "IFNAME", Value::Interface, "", "", "alias of dev", "Output interface", "route-rule" => LineOption, Accepted;
        "onlink", "none", Value::None, "", "", "", "RTNH_F_ONLINK", "route-rule" => LineOption, Accepted;
        "encap", "ip/ip6 (id dst src tos/tc ttl/hoplimit flags), mpls LABELS, ila LOCATOR", Value::Words, "", "", "", "Lightweight tunnel", "route-rule" => LineOption, Accepted;
        "expires", "SECS", int(0, 4_294_967_295), "", "IPv6 only", "", "Route lifetime", "route-rule" => LineOption, Accepted;
        "mtu", "[lock] N", int(0, 4_294_967_295), "", "", "", "Path MTU", "route-rule" => LineOption, Accepted;
        "hoplimit", "N", int(0, 255), "", "", "", "Hop limit", "route-rule" => LineOption, Accepted;
        "advmss", "[lock] N", int(0, 4_294_967_295), "", "", "", "MSS", "route-rule" => LineOption, Accepted;
        "rtt", "[lock] TIME", Value::Words, "", "unit suffix as iproute2; below 200ms: error, reset; bare 1000 counts as below", "", "RTT estimate", "route-rule" => LineOption, Accepted;
        "rttvar", "[lock] TIME", Value::Words, "", "below 200ms: error, reset; bare 1000 counts as below", "", "RTT variance", "route-rule" => LineOption, Accepted;
        "reordering", "[lock] N", int(0, 4_294_967_295), "", "", "", "Reordering metric", "route-rule" => LineOption, Accepted;
        "window", "N", int(0, 4_294_967_295), "", "", "", "Maximum window", "route-rule" => LineOption, Accepted;
        "cwnd", "[lock] N", int(0, 4_294_967_295), "", "", "", "Congestion window clamp", "route-rule" => LineOption, Accepted;
        "ssthresh", "[lock] N", int(0, 4_294_967_295), "", "", "", "Slow start threshold", "route-rule" => LineOption, Accepted;
        "realms", "[FROM/]TO", Value::Words, "", "IPv4 only", "", "Realms", "route-rule" => LineOption, Accepted;
        "rto_min", "[lock] TIME", Value::Words, "", "below 200ms: error, reset; bare 1000 counts as below", "", "Minimum RTO", "route-rule" => LineOption, Accepted;
        "initcwnd", "N", int(0, 4_294_967_295), "", "", "", "Initial congestion window", "route-rule" => LineOption, Accepted;
        "initrwnd", "N", int(0, 4_294_967_295), "", "", "", "Initial receive window", "route-rule" => LineOption, Accepted;
        "features", "ecn", Value::Choice(&["ecn"]), "", "ecn only", "", "Feature bits", "route-rule" => LineOption, Accepted;
        "quickack", "0 or 1", Value::Choice(&["0", "1"]), "", "", "", "Quick ACK", "route-rule" => LineOption, Accepted;
        "congctl", "[lock] NAME", Value::Words, "", "", "", "Congestion control", "route-rule" => LineOption, Accepted;
        "pref", "low, medium, high or N", Value::Words, "", "IPv6 only", "", "Router preference", "route-rule" => LineOption, Accepted;
        "ttl-propagate", "enabled or disabled", Value::Choice(&["enabled", "disabled"]), "", "", "", "MPLS TTL propagation", "route-rule" => LineOption, Accepted;
        "fastopen_no_cookie", "0 or 1", Value::Choice(&["0", "1"]), "", "", "", "TCP fast open without cookie", "route-rule" => LineOption, Accepted;
        "add", "none", Value::None, "", "", "one of add/prepend/append", "Create only if absent", "route-rule" => LineOption, Accepted;
        "prepend", "none", Value::None, "default", "", "", "Add before matching routes", "route-rule" => LineOption, Accepted;
        "append", "none", Value::None, "", "", "", "Add after matching routes", "route-rule" => LineOption, Accepted;
        "or", "ADDR", Value::Address, "", "one only; reports deprecation (-t exit 5)", "deprecated, use nexthop", "Second gateway", "route-rule" => LineOption, Deprecated("nexthop", Reported, Accepted);
        "nexthop", "[via [inet/inet6] A] [dev IF] [weight 1..256] [onlink] [encap ...] [realms R]", Value::Words, "", "must be last", "", "Multipath hop, repeatable", "route-rule" => LineOption, Accepted;
        "vrf", "IFNAME", Value::Interface, "", "must be a VRF device", "", "Use the VRF's table", "route-rule" => LineOption, Accepted;
        "no_track", "none", Value::None, "tracked", "", "", "Do not restore or fault on deletion", "route-rule" => LineOption, Accepted;
        "track_group", "NAME", Value::Text, "", "static only; needs dev", "", "Track group", "route-rule" => LineOption, Accepted;
    }
    in "<rule line>" => {
        "from", "PREFIX", Value::Words, "", "", "", "Source selector", "route-rule" => LineOption, Accepted;
        "to", "PREFIX", Value::Words, "", "", "", "Destination selector", "route-rule" => LineOption, Accepted;
        "inet", "none", Value::None, "", "the word after it is skipped (inet from X fails; put it after the selectors)", "", "Force IPv4", "route-rule" => LineOption, Accepted;
        "inet6", "none", Value::None, "", "the word after it is skipped (as inet)", "", "Force IPv6", "route-rule" => LineOption, Accepted;
        "table", "N or name", Value::Words, "", "not 0", "lookup", "Table to use", "route-rule" => LineOption, Accepted;
        "lookup", "N or name", Value::Words, "", "", "alias of table", "Table to use", "route-rule" => LineOption, Accepted;
        "not", "none", Value::None, "", "", "", "Invert match", "route-rule" => LineOption, Accepted;
        "preference", "N", int(0, 4_294_967_295), "16384 downward, per family, with error", "", "order, priority", "Rule preference", "route-rule" => LineOption, Accepted;
        "order", "N", int(0, 4_294_967_295), "", "", "alias of preference", "Rule preference", "route-rule" => LineOption, Accepted;
        "priority", "N", int(0, 4_294_967_295), "", "", "alias of preference", "Rule preference", "route-rule" => LineOption, Accepted;
        "tos", "N or name", Value::Words, "", "", "dsfield", "TOS selector", "route-rule" => LineOption, Accepted;
        "dsfield", "N or name", Value::Words, "", "", "alias of tos", "TOS selector", "route-rule" => LineOption, Accepted;
        "fwmark", "MARK[/MASK]", Value::Words, "", "any base", "", "Mark selector", "route-rule" => LineOption, Accepted;
        "realms", "[FROM/]TO", Value::Words, "", "IPv4 only", "", "Realms", "route-rule" => LineOption, Accepted;
        "suppress_prefixlength", "N", int(0, 2_147_483_647), "", "", "sup_pl", "Ignore routes with short prefix", "route-rule" => LineOption, Accepted;
        "sup_pl", "N", int(0, 2_147_483_647), "", "", "alias of suppress_prefixlength", "Ignore routes with short prefix", "route-rule" => LineOption, Accepted;
        "suppress_ifgroup", "GROUP", Value::Words, "", "", "sup_group", "Ignore routes via group", "route-rule" => LineOption, Accepted;
        "sup_group", "GROUP", Value::Words, "", "", "alias of suppress_ifgroup", "Ignore routes via group", "route-rule" => LineOption, Accepted;
        "iif", "IFNAME", Value::Interface, "", "", "dev", "Input interface", "route-rule" => LineOption, Accepted;
        "dev", "IFNAME", Value::Interface, "", "", "alias of iif", "Input interface", "route-rule" => LineOption, Accepted;
        "oif", "IFNAME", Value::Interface, "", "", "", "Output interface", "route-rule" => LineOption, Accepted;
        "tunnel-id", "N", int(0, 4_294_967_295), "", "", "", "Tunnel id selector", "route-rule" => LineOption, Accepted;
        "uidrange", "A-B", Value::Words, "", "A > B is not checked", "", "UID selector", "route-rule" => LineOption, Accepted;
        "l3mdev", "none", Value::None, "", "no table", "", "Use l3 master device table", "route-rule" => LineOption, Accepted;
        "protocol", "N or name", Value::Words, "keepalived (18)", "must be 18 if tracked", "", "Rule protocol", "route-rule" => LineOption, Accepted;
        "ipproto", "N or name", Value::Words, "", "", "man page writes ip_proto", "IP protocol selector", "route-rule" => LineOption, Accepted;
        "sport", "A-B", Value::Words, "", "one port alone is an error, write A-A; A > B is not checked", "", "Source port selector", "route-rule" => LineOption, Accepted;
        "dport", "A-B", Value::Words, "", "one port alone is an error, write A-A; A > B is not checked", "", "Destination port selector", "route-rule" => LineOption, Accepted;
        "[type] goto", "PREF", Value::Words, "", "> own preference", "", "Jump to rule", "route-rule" => LineOption, Accepted;
        "[type] nop", "none", Value::None, "", "", "", "No operation", "route-rule" => LineOption, Accepted;
        "[type] blackhole/unreachable/prohibit", "none", Value::None, "", "", "", "Rule action", "route-rule" => LineOption, Accepted;
        "no_track", "none", Value::None, "tracked", "", "", "Do not restore or fault on deletion", "route-rule" => LineOption, Accepted;
        "track_group", "NAME", Value::Text, "", "static only; needs iif", "", "Track group", "route-rule" => LineOption, Accepted;
    }
    in "<track line>" => {
        "weight", "N", int(-254, 254), "tracker's default", "interface, script, bfd -253..253; file, process -254..254", "", "Weight override", "script-track" => LineOption, Accepted;
        "reverse", "none", Value::None, "", "", "", "Reverse effect of weight", "script-track" => LineOption, Accepted;
        "noreverse", "none", Value::None, "", "not for interfaces", "", "Cancel tracker's reverse", "script-track" => LineOption, Accepted;
    }
}
