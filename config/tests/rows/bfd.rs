//! `bfd_instance`. Expected values: keepalived.conf(5) and keywords.tsv.

use super::Case;

pub(super) const CASES: &[Case] = &[
    ("bfd_instance", "source_ip", "source_ip 10.0.0.1", "/bfd_instances/0/source", "\"10.0.0.1\""),
    ("bfd_instance", "neighbor_ip", "neighbor_ip 10.0.0.3", "/bfd_instances/0/neighbor", "\"10.0.0.3\""),
    ("bfd_instance", "neighbour_ip", "neighbour_ip 2001:db8::1", "/bfd_instances/0/neighbor", "\"2001:db8::1\""),
    ("bfd_instance", "neighbor_ip", "neighbor_ip fe80::1%eth0", "/bfd_instances/0/interface", "\"eth0\""),
    (
        "bfd_instance",
        "source_ip",
        "neighbor_ip fe80::1\nsource_ip fe80::2%eth1",
        "/bfd_instances/0/interface",
        "\"eth1\"",
    ),
    ("bfd_instance", "min_rx", "min_rx 3.312", "/bfd_instances/0/min_rx", r#"{"secs":0,"nanos":3312000}"#),
    ("bfd_instance", "min_tx", "min_tx 4294967", "/bfd_instances/0/min_tx", r#"{"secs":4294,"nanos":967000000}"#),
    ("bfd_instance", "idle_tx", "idle_tx 2500", "/bfd_instances/0/idle_tx", r#"{"secs":2,"nanos":500000000}"#),
    ("bfd_instance", "multiplier", "multiplier 255", "/bfd_instances/0/multiplier", "255"),
    ("bfd_instance", "passive", "passive", "/bfd_instances/0/passive", "true"),
    ("bfd_instance", "ttl", "ttl 7", "/bfd_instances/0/ttl", "7"),
    ("bfd_instance", "hoplimit", "neighbor_ip 2001:db8::1\nhoplimit 8", "/bfd_instances/0/ttl", "8"),
    ("bfd_instance", "max_hops", "max_hops 255", "/bfd_instances/0/max_hops", "255"),
    ("bfd_instance", "max_hops", "max_hops -1", "/bfd_instances/0/max_hops", "-1"),
    ("bfd_instance", "multihop", "multihop", "/bfd_instances/0/multihop", "true"),
    ("bfd_instance", "weight", "weight -253", "/bfd_instances/0/weight", "-253"),
    ("bfd_instance", "weight", "weight 5 reverse", "/bfd_instances/0/reverse", "true"),
    ("bfd_instance", "vrrp", "vrrp", "/bfd_instances/0/tells_checkers", "false"),
    ("bfd_instance", "checker", "checker", "/bfd_instances/0/tells_vrrp", "false"),
];
