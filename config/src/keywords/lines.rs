//! Words inside the lines of value blocks: addresses, routes, rules, trackers. One row per keyword; see `Keyword` for the columns.

use super::{Keyword, rows};

rows! {
    in "<address line>" {
        "ADDR[/PREFIX]", "IPv4 or IPv6", "/32 or /128", "", "", "Address, first word of the line", "route-rule" => LineOption, Effective;
        "dev", "IFNAME", "instance interface; static: default_interface", "", "", "Interface", "route-rule" => LineOption, Effective;
        "scope", "NAME or N", "global", "host link global site nowhere or number; IPv4 only", "", "Address scope", "route-rule" => LineOption, Effective;
        "brd", "ADDR, + or -", "none", "IPv4 only; prefix <= 30 for + and -", "also broadcast", "Broadcast address", "route-rule" => LineOption, Effective;
        "broadcast", "ADDR, + or -", "none", "", "alias of brd", "Broadcast address", "route-rule" => LineOption, Effective;
        "label", "STRING", "none", "max 15 chars; IPv4 only", "", "Address label", "route-rule" => LineOption, Effective;
        "peer", "ADDR", "none", "same family; with a /PREFIX it is an error; excludes broadcast", "", "Point-to-point peer", "route-rule" => LineOption, Effective;
        "home", "none", "", "no error on IPv4", "", "IFA_F_HOMEADDRESS", "route-rule" => LineOption, Effective;
        "-nodad", "none", "", "", "", "Clear default NODAD, so DAD runs", "route-rule" => LineOption, Effective;
        "mngtmpaddr", "none", "", "no error on IPv4", "", "IFA_F_MANAGETEMPADDR", "route-rule" => LineOption, Effective;
        "noprefixroute", "none", "", "", "", "IFA_F_NOPREFIXROUTE", "route-rule" => LineOption, Effective;
        "autojoin", "none", "", "", "", "IFA_F_MCAUTOJOIN", "route-rule" => LineOption, Effective;
        "no_track", "none", "tracked", "", "", "Deleting the address does not affect the instance", "route-rule" => LineOption, Effective;
        "preferred_lft", "SECS or forever", "0 for IPv6 /128, else forever", "0..UINT32_MAX", "", "Preferred lifetime", "route-rule" => LineOption, Effective;
        "track_group", "NAME", "none", "static only", "", "Track group affected by deletion", "route-rule" => LineOption, Accepted;
        "use_vmac", "none", "off", "virtual only", "", "Put this VIP on a VMAC of its interface", "vmac" => LineOption, Accepted;
    }
    in "<route line>" {
        "[to] [TYPE] DEST", "PREFIX or default", "unicast", "types unicast local broadcast anycast multicast blackhole unreachable prohibit throw xresolve nat", "", "Destination", "route-rule" => LineOption, Accepted;
        "inet", "none", "", "destination after it must be written with to (inet to PREFIX)", "", "Force IPv4", "route-rule" => LineOption, Accepted;
        "inet6", "none", "", "destination after it must be written with to", "", "Force IPv6", "route-rule" => LineOption, Accepted;
        "src", "ADDR", "", "", "", "Preferred source", "route-rule" => LineOption, Accepted;
        "as", "[to] ADDR", "", "", "MPLS only, ignored", "Label swap", "route-rule" => LineOption, Accepted;
        "via", "[inet/inet6] ADDR", "", "", "gw", "Gateway", "route-rule" => LineOption, Accepted;
        "gw", "ADDR", "", "reports deprecation (-t exit 5)", "deprecated alias of via", "Gateway", "route-rule" => LineOption, Deprecated("via", Reported, Accepted);
        "from", "PREFIX", "", "IPv6 only", "", "Source prefix", "route-rule" => LineOption, Accepted;
        "tos", "N or name", "0", "", "dsfield", "TOS", "route-rule" => LineOption, Accepted;
        "dsfield", "N or name", "0", "", "alias of tos", "TOS", "route-rule" => LineOption, Accepted;
        "table", "N or name", "main", "", "", "Routing table", "route-rule" => LineOption, Accepted;
        "protocol", "N or name", "keepalived (18)", "must be 18 if tracked", "", "Route protocol", "route-rule" => LineOption, Accepted;
        "scope", "N or name", "", "", "", "Route scope", "route-rule" => LineOption, Accepted;
        "metric", "N", "", "0..UINT32_MAX", "priority, preference", "Metric", "route-rule" => LineOption, Accepted;
        "priority", "N", "", "", "alias of metric", "Metric", "route-rule" => LineOption, Accepted;
        "preference", "N", "", "", "alias of metric", "Metric", "route-rule" => LineOption, Accepted;
        "dev", "IFNAME", "", "", "oif", "Output interface", "route-rule" => LineOption, Accepted;
        "oif", "IFNAME", "", "", "alias of dev", "Output interface", "route-rule" => LineOption, Accepted;
        "onlink", "none", "", "", "", "RTNH_F_ONLINK", "route-rule" => LineOption, Accepted;
        "encap", "ip/ip6 (id dst src tos/tc ttl/hoplimit flags), mpls LABELS, ila LOCATOR", "", "", "", "Lightweight tunnel", "route-rule" => LineOption, Accepted;
        "expires", "SECS", "", "IPv6 only", "", "Route lifetime", "route-rule" => LineOption, Accepted;
        "mtu", "[lock] N", "", "", "", "Path MTU", "route-rule" => LineOption, Accepted;
        "hoplimit", "N", "", "0..255", "", "Hop limit", "route-rule" => LineOption, Accepted;
        "advmss", "[lock] N", "", "", "", "MSS", "route-rule" => LineOption, Accepted;
        "rtt", "[lock] TIME", "", "unit suffix as iproute2; below 200ms: error, reset; bare 1000 counts as below", "", "RTT estimate", "route-rule" => LineOption, Accepted;
        "rttvar", "[lock] TIME", "", "below 200ms: error, reset; bare 1000 counts as below", "", "RTT variance", "route-rule" => LineOption, Accepted;
        "reordering", "[lock] N", "", "", "", "Reordering metric", "route-rule" => LineOption, Accepted;
        "window", "N", "", "", "", "Maximum window", "route-rule" => LineOption, Accepted;
        "cwnd", "[lock] N", "", "", "", "Congestion window clamp", "route-rule" => LineOption, Accepted;
        "ssthresh", "[lock] N", "", "", "", "Slow start threshold", "route-rule" => LineOption, Accepted;
        "realms", "[FROM/]TO", "", "IPv4 only", "", "Realms", "route-rule" => LineOption, Accepted;
        "rto_min", "[lock] TIME", "", "below 200ms: error, reset; bare 1000 counts as below", "", "Minimum RTO", "route-rule" => LineOption, Accepted;
        "initcwnd", "N", "", "", "", "Initial congestion window", "route-rule" => LineOption, Accepted;
        "initrwnd", "N", "", "", "", "Initial receive window", "route-rule" => LineOption, Accepted;
        "features", "ecn", "", "ecn only", "", "Feature bits", "route-rule" => LineOption, Accepted;
        "quickack", "0 or 1", "", "", "", "Quick ACK", "route-rule" => LineOption, Accepted;
        "congctl", "[lock] NAME", "", "", "", "Congestion control", "route-rule" => LineOption, Accepted;
        "pref", "low, medium, high or N", "", "IPv6 only", "", "Router preference", "route-rule" => LineOption, Accepted;
        "ttl-propagate", "enabled or disabled", "", "", "", "MPLS TTL propagation", "route-rule" => LineOption, Accepted;
        "fastopen_no_cookie", "0 or 1", "", "", "", "TCP fast open without cookie", "route-rule" => LineOption, Accepted;
        "add", "none", "", "", "one of add/prepend/append", "Create only if absent", "route-rule" => LineOption, Accepted;
        "prepend", "none", "default", "", "", "Add before matching routes", "route-rule" => LineOption, Accepted;
        "append", "none", "", "", "", "Add after matching routes", "route-rule" => LineOption, Accepted;
        "or", "ADDR", "", "one only; reports deprecation (-t exit 5)", "deprecated, use nexthop", "Second gateway", "route-rule" => LineOption, Deprecated("nexthop", Reported, Accepted);
        "nexthop", "[via [inet/inet6] A] [dev IF] [weight 1..256] [onlink] [encap ...] [realms R]", "", "must be last", "", "Multipath hop, repeatable", "route-rule" => LineOption, Accepted;
        "vrf", "IFNAME", "", "must be a VRF device", "", "Use the VRF's table", "route-rule" => LineOption, Accepted;
        "no_track", "none", "tracked", "", "", "Do not restore or fault on deletion", "route-rule" => LineOption, Accepted;
        "track_group", "NAME", "", "static only; needs dev", "", "Track group", "route-rule" => LineOption, Accepted;
    }
    in "<rule line>" {
        "from", "PREFIX", "", "", "", "Source selector", "route-rule" => LineOption, Accepted;
        "to", "PREFIX", "", "", "", "Destination selector", "route-rule" => LineOption, Accepted;
        "inet", "none", "", "the word after it is skipped (inet from X fails; put it after the selectors)", "", "Force IPv4", "route-rule" => LineOption, Accepted;
        "inet6", "none", "", "the word after it is skipped (as inet)", "", "Force IPv6", "route-rule" => LineOption, Accepted;
        "table", "N or name", "", "not 0", "lookup", "Table to use", "route-rule" => LineOption, Accepted;
        "lookup", "N or name", "", "", "alias of table", "Table to use", "route-rule" => LineOption, Accepted;
        "not", "none", "", "", "", "Invert match", "route-rule" => LineOption, Accepted;
        "preference", "N", "16384 downward, per family, with error", "0..UINT32_MAX", "order, priority", "Rule preference", "route-rule" => LineOption, Accepted;
        "order", "N", "", "", "alias of preference", "Rule preference", "route-rule" => LineOption, Accepted;
        "priority", "N", "", "", "alias of preference", "Rule preference", "route-rule" => LineOption, Accepted;
        "tos", "N or name", "", "", "dsfield", "TOS selector", "route-rule" => LineOption, Accepted;
        "dsfield", "N or name", "", "", "alias of tos", "TOS selector", "route-rule" => LineOption, Accepted;
        "fwmark", "MARK[/MASK]", "", "any base", "", "Mark selector", "route-rule" => LineOption, Accepted;
        "realms", "[FROM/]TO", "", "IPv4 only", "", "Realms", "route-rule" => LineOption, Accepted;
        "suppress_prefixlength", "N", "", "", "sup_pl", "Ignore routes with short prefix", "route-rule" => LineOption, Accepted;
        "sup_pl", "N", "", "", "alias of suppress_prefixlength", "Ignore routes with short prefix", "route-rule" => LineOption, Accepted;
        "suppress_ifgroup", "GROUP", "", "", "sup_group", "Ignore routes via group", "route-rule" => LineOption, Accepted;
        "sup_group", "GROUP", "", "", "alias of suppress_ifgroup", "Ignore routes via group", "route-rule" => LineOption, Accepted;
        "iif", "IFNAME", "", "", "dev", "Input interface", "route-rule" => LineOption, Accepted;
        "dev", "IFNAME", "", "", "alias of iif", "Input interface", "route-rule" => LineOption, Accepted;
        "oif", "IFNAME", "", "", "", "Output interface", "route-rule" => LineOption, Accepted;
        "tunnel-id", "N", "", "", "", "Tunnel id selector", "route-rule" => LineOption, Accepted;
        "uidrange", "A-B", "", "A > B is not checked", "", "UID selector", "route-rule" => LineOption, Accepted;
        "l3mdev", "none", "", "no table", "", "Use l3 master device table", "route-rule" => LineOption, Accepted;
        "protocol", "N or name", "keepalived (18)", "must be 18 if tracked", "", "Rule protocol", "route-rule" => LineOption, Accepted;
        "ipproto", "N or name", "", "", "man page writes ip_proto", "IP protocol selector", "route-rule" => LineOption, Accepted;
        "sport", "A-B", "", "one port alone is an error, write A-A; A > B is not checked", "", "Source port selector", "route-rule" => LineOption, Accepted;
        "dport", "A-B", "", "one port alone is an error, write A-A; A > B is not checked", "", "Destination port selector", "route-rule" => LineOption, Accepted;
        "[type] goto", "PREF", "", "> own preference", "", "Jump to rule", "route-rule" => LineOption, Accepted;
        "[type] nop", "none", "", "", "", "No operation", "route-rule" => LineOption, Accepted;
        "[type] blackhole/unreachable/prohibit", "none", "", "", "", "Rule action", "route-rule" => LineOption, Accepted;
        "no_track", "none", "tracked", "", "", "Do not restore or fault on deletion", "route-rule" => LineOption, Accepted;
        "track_group", "NAME", "", "static only; needs iif", "", "Track group", "route-rule" => LineOption, Accepted;
    }
    in "<track line>" {
        "weight", "N", "tracker's default", "interface, script, bfd -253..253; file, process -254..254", "", "Weight override", "script-track" => LineOption, Accepted;
        "reverse", "none", "", "", "", "Reverse effect of weight", "script-track" => LineOption, Accepted;
        "noreverse", "none", "", "not for interfaces", "", "Cancel tracker's reverse", "script-track" => LineOption, Accepted;
    }
}
