//! Everything that starts with `vrrp`. One row per keyword; see `Keyword` for the columns.

use super::value::{Value, clamped, int, seconds};
use super::{Keyword, Table, rows};

rows! {
    in "vrrp_sync_group" => {
        "group", "{ instance names }", Value::Lines(""), "required", "given once; empty group removed", "", "Members of the sync group", "vrrp" => Keyword, Effective, shown "engine::a_group_becomes_master_together_and_leaves_together";
        "track_interface", "{ IF [weight N [reverse]] }", Value::Lines("<track line>"), "weight 0", "-253..253 (+-254 becomes +-253 with error); empty block accepted", "", "Interfaces tracked for all members", "script-track" => Keyword, Accepted;
        "track_script", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "weight of script", "-253..253", "", "Scripts tracked for all members", "script-track" => Keyword, Accepted;
        "track_file", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "weight of file", "-254..254; undefined name crashes upstream if another track_file is defined", "", "Track files for all members", "script-track" => Keyword, Accepted;
        "track_process", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "weight of process", "-254..254", "", "Processes tracked for all members", "script-track" => Keyword, Accepted;
        "track_bfd", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "weight of bfd", "-253..253", "", "BFD sessions tracked for all members", "bfd" => Keyword, Accepted;
        "notify_backup", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run on group transition to BACKUP", "script-track" => Keyword, Accepted;
        "notify_master", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run on group transition to MASTER", "script-track" => Keyword, Accepted;
        "notify_fault", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run on group transition to FAULT", "script-track" => Keyword, Accepted;
        "notify_stop", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run when VRRP stops", "script-track" => Keyword, Accepted;
        "notify", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "4 arguments appended; missing script or unknown user not reported by -t", "", "Run on every transition with GROUP, name, state, priority", "script-track" => Keyword, Accepted;
        "smtp_alert", "[BOOL]", Value::Switch, "smtp_alert_vrrp, smtp_alert, else off", "", "", "Mail on group transitions", "smtp" => Keyword, Accepted;
        "global_tracking", "none", Value::None, "off", "", "deprecated, reports error; acts as sync_group_tracking_weight", "Allow differing weights", "script-track" => Keyword, Deprecated("sync_group_tracking_weight", Reported, Accepted);
        "sync_group_tracking_weight", "none", Value::None, "off", "", "", "Allow weighted trackers on members", "script-track" => Keyword, Accepted, details "Without it weights of members are taken away: one member cannot move alone.";
        "notify_priority_changes", "[BOOL]", Value::Switch, "unset", "", "", "Default for members of notify_priority_changes", "script-track" => Keyword, Accepted;
    }
    in "vrrp_instance" => {
        "use_vmac", "[[name] IF] [MAC] [netlink_notify_msg] [group G]", Value::Words, "off; name prefix.VRID", "MAC of 5 or 6 octets, unicast, not RFC range", "", "Run on a macvlan with virtual MAC", "vmac" => Keyword, Accepted, details "Clients keep the MAC address of the RFC across a takeover. `name` before the interface allows any name, even `group`.";
        "use_vmac_addr", "none", Value::None, "off", "", "", "Create a VMAC for each VIP on another interface or family", "vmac" => Keyword, Accepted;
        "vmac_xmit_base", "none", Value::None, "off (forced on for unicast)", "needs use_vmac", "", "Send and receive adverts on the parent interface", "vmac" => Keyword, Accepted;
        "use_ipvlan", "[[name] IF] [IP] [bridge/private/vepa] [group G]", Value::Words, "off; bridge", "IPv4 instance needs IP; one mode per parent", "", "Run on an ipvlan L2 interface", "vmac" => Keyword, Accepted;
        "unicast_peer", "{ IP [min_ttl N] [max_ttl N] }", Value::Lines("vrrp_instance/unicast_peer"), "multicast", "ttl 0..255; family must match; no duplicates", "", "Send adverts to listed peers; ttl options enable check_unicast_src", "vrrp" => Keyword, Effective, shown "engine::unicast_goes_to_every_peer_with_the_ttl_that_is_asked_for";
        "unicast_fault_no_peer", "none", Value::None, "off", "", "", "FAULT instead of multicast when unicast configured without peers", "vrrp" => Keyword, Effective, shown "engine::what_is_missing_can_be_made_a_fault";
        "check_unicast_src", "none", Value::None, "off", "without unicast_peer: deprecation warning (-t exit 5)", "", "Drop adverts from addresses not in unicast_peer", "vrrp" => Keyword, Effective, shown "engine::only_peers_are_heard_if_that_is_asked_for";
        "old_unicast_checksum", "[never]", Value::Words, "auto detect", "never", "only if built with OLD_CHKSUM_COMPAT", "Use pre-1.3.7 VRRPv3 unicast checksum, or never fall back to it", "vrrp" => Keyword, Effective, shown "engine::the_checksum_of_version_3_can_be_chosen";
        "native_ipv6", "none", Value::None, "", "", "deprecated", "Force IPv6 and version 3", "vrrp" => Keyword, Deprecated("version 3", Silent, Effective), shown "engine::native_ipv6_needs_no_address_to_say_so";
        "state", "MASTER or BACKUP", Value::Choice(&["MASTER", "BACKUP"]), "MASTER if priority 255 else BACKUP", "unknown word becomes BACKUP; MASTER is not overridden", "", "Initial state", "vrrp" => Keyword, Effective, shown "engine::an_owner_that_is_to_begin_as_backup_does";
        "interface", "IFNAME", Value::Interface, "none", "not loopback; optional with unicast and source address", "", "Interface the instance runs on", "vrrp" => Keyword, Effective, shown "engine::an_instance_stands_on_its_interface";
        "vrf", "IFNAME", Value::Interface, "none", "unicast without interface only", "", "VRF device for the sockets", "vrrp" => Keyword, Accepted;
        "dont_track_primary", "none", Value::None, "off", "", "", "Ignore state of own interface", "vrrp" => Keyword, Effective, shown "engine::dont_track_primary_ignores_the_cable";
        "track_interface", "{ IF [weight N [reverse]] }", Value::Lines("<track line>"), "weight 0", "-253..253 (+-254 becomes +-253 with error); empty block accepted", "", "Interfaces tracked by instance", "script-track" => Keyword, Accepted, details "The interface of the instance itself is tracked anyway.";
        "track_script", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "script's weight", "-253..253", "", "Scripts tracked by instance", "script-track" => Keyword, Accepted, details "Without a weight a failure means FAULT, the addresses go; with one it only changes the priority, so that another router may win.";
        "track_file", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "file's weight", "-254..254; undefined name crashes upstream if another track_file is defined", "", "Track files used by instance", "script-track" => Keyword, Accepted;
        "track_process", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "process's weight", "-254..254", "", "Processes tracked by instance", "script-track" => Keyword, Accepted;
        "track_bfd", "{ NAME [weight N [reverse/noreverse]] }", Value::Lines("<track line>"), "bfd's weight", "-253..253", "", "BFD sessions tracked by instance", "bfd" => Keyword, Accepted;
        "mcast_src_ip", "IP", Value::Address, "primary address", "family must match", "", "Source address of adverts", "vrrp" => Keyword, Effective, shown "engine::the_source_can_be_chosen";
        "unicast_src_ip", "IP", Value::Address, "primary address", "family must match; without unicast_peer: deprecation warning (-t exit 5)", "", "Source address; marks instance as unicast", "vrrp" => Keyword, Effective, shown "engine::the_source_can_be_chosen";
        "mcast_dst_ip", "IP", Value::Address, "global group", "multicast (IPv6 link-local)", "", "Alternative advert group", "vrrp" => Keyword, Effective, shown "engine::the_multicast_group_can_be_chosen";
        "track_src_ip", "none", Value::None, "off", "useful only with a configured source; not reported otherwise", "", "FAULT if configured source address is missing", "vrrp" => Keyword, Effective, shown "engine::what_is_missing_can_be_made_a_fault";
        "virtual_router_id", "N", int(1, 255), "required", "", "", "VRID", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
        "unicast_ttl", "N", int(0, 255), "255 IPv4; kernel IPv6", "needs unicast_peer", "", "TTL or hop limit of sent adverts", "vrrp" => Keyword, Effective, shown "engine::unicast_goes_to_every_peer_with_the_ttl_that_is_asked_for";
        "version", "N", int(2, 3), "vrrp_version; 3 for IPv6", "", "", "VRRP version", "vrrp" => Keyword, Effective, shown "engine::the_version_can_be_chosen";
        "priority", "N", int(1, 255), "100, or 255 if state MASTER and no priority", "", "", "Base priority; 255 = address owner", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
        "advert_int", "SECS (decimal)", seconds(10_000, 255_000_000), "1", "v2 whole seconds, v3 0.01..40.95, rounded", "", "Advertisement interval", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
        "virtual_ipaddress", "{ address lines }", Value::Lines("<address line>"), "none", "<= 255 and fits MTU, excess become excluded; one family; no VIP at all: warning, exit 5 (error if strict)", "", "Advertised VIPs", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
        "virtual_ipaddress_excluded", "{ address lines }", Value::Lines("<address line>"), "none", "families may be mixed", "", "VIPs managed but not advertised", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
        "no_virtual_ipaddress", "none", Value::None, "off", "", "", "Allow instance without VIPs", "vrrp" => Keyword, Effective, since "2.2.8", shown "engine::an_instance_without_addresses_advertises_none";
        "promote_secondaries", "none", Value::None, "off", "ignored for VMACs (always set)", "", "Set promote_secondaries sysctl on interface", "vrrp" => Keyword, Effective, shown "engine::promotion_of_secondary_addresses_can_be_asked_for";
        "linkbeat_use_polling", "none", Value::None, "off", "", "deprecated, use linkbeat_interfaces", "Poll link state of own interface", "core" => Keyword, Deprecated("linkbeat_interfaces", Reported, Accepted);
        "v3_checksum_as_v2", "[BOOL]", Value::Switch, "global", "", "", "VRRPv3 IPv4 checksum without pseudo-header (RFC9568)", "vrrp" => Keyword, Effective, since "2.2.8", shown "engine::the_checksum_of_version_3_can_be_chosen";
        "virtual_routes", "{ route lines }", Value::Lines("<route line>"), "none", "", "", "Routes present while master", "route-rule" => Keyword, Accepted;
        "virtual_rules", "{ rule lines }", Value::Lines("<rule line>"), "none", "", "", "Policy rules present while master", "route-rule" => Keyword, Accepted;
        "accept", "none", Value::None, "on; off in strict mode unless 255", "", "", "Accept packets addressed to VIPs when not owner", "vrrp" => Keyword, Accepted;
        "no_accept", "none", Value::None, "", "", "Firewall build only", "Drop packets addressed to VIPs when not owner", "nftables" => Keyword, Accepted;
        "skip_check_adv_addr", "[BOOL]", Value::Switch, "global", "any valid BOOL, even off, sets it", "", "Skip VIP list check from same master", "vrrp" => Keyword, Effective, shown "engine::the_addresses_of_a_known_master_may_be_taken_on_trust";
        "strict_mode", "[BOOL]", Value::Switch, "vrrp_strict", "", "", "Strict protocol compliance", "vrrp" => Keyword, Effective, shown "engine::strict_mode_refuses_adverts_without_addresses";
        "preempt", "none", Value::None, "on", "", "", "Clear nopreempt", "vrrp" => Keyword, Effective, shown "engine::preemption_can_be_put_off_or_given_up";
        "nopreempt", "none", Value::None, "off", "cleared if state MASTER or priority 255", "", "Do not take over from a lower priority master", "vrrp" => Keyword, Effective, shown "engine::preemption_can_be_put_off_or_given_up", details "Needs `state BACKUP` and a priority below 255, on both routers.";
        "preempt_delay", "SECS (decimal)", seconds(0, 1_000_000_000), "0", "cleared with MASTER, strict or nopreempt", "", "Delay before preempting", "vrrp" => Keyword, Effective, shown "engine::preemption_can_be_put_off_or_given_up", details "Counts from when the other master is heard; it does not delay a takeover from silence.";
        "debug", "N", int(0, 4), "0", "", "", "Unused debug level", "other" => Keyword, Accepted;
        "notify_backup", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run on transition to BACKUP", "script-track" => Keyword, Accepted;
        "notify_master", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run on transition to MASTER", "script-track" => Keyword, Accepted;
        "notify_fault", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run on transition to FAULT", "script-track" => Keyword, Accepted;
        "notify_stop", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run when VRRP stops", "script-track" => Keyword, Accepted;
        "notify_deleted", "[SCRIPT [user [[:]group]]] (quoted ok)", Value::Command, "off", "missing script or unknown user not reported by -t", "", "Report DELETED (not FAULT) when removed by reload; optional script", "script-track" => Keyword, Accepted;
        "notify", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "4 arguments appended; missing script or unknown user not reported by -t", "", "Run on every transition with INSTANCE, name, state, priority", "script-track" => Keyword, Accepted, details "Runs after the specific script of the state, and not in a shell: a command with arguments is one quoted word.";
        "notify_master_rx_lower_pri", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run when master receives a lower priority advert", "script-track" => Keyword, Accepted;
        "smtp_alert", "[BOOL]", Value::Switch, "smtp_alert_vrrp, smtp_alert, else off", "", "", "Mail on transitions", "smtp" => Keyword, Accepted;
        "notify_priority_changes", "[BOOL]", Value::Switch, "group, then global", "", "", "FIFO lines on effective priority changes", "script-track" => Keyword, Accepted;
        "lvs_sync_daemon_interface", "IFNAME", Value::Interface, "none", "", "deprecated after 1.2.19, use lvs_sync_daemon", "Sync daemon interface following this instance", "lvs-sync" => Keyword, Deprecated("lvs_sync_daemon", Reported, Accepted);
        "garp_master_delay", "SECS (uint)", int(0, 4294), "global", "", "", "As vrrp_garp_master_delay", "vrrp" => Keyword, Effective, shown "engine::announcements_are_timed_and_counted_as_configured";
        "garp_master_refresh", "SECS (uint)", int(0, 4_294_967_295), "global", "", "", "As vrrp_garp_master_refresh", "vrrp" => Keyword, Effective, shown "engine::announcements_are_timed_and_counted_as_configured";
        "garp_master_repeat", "COUNT", clamped(1, 4_294_967_295), "global", "", "", "As vrrp_garp_master_repeat", "vrrp" => Keyword, Effective, shown "engine::announcements_are_timed_and_counted_as_configured";
        "garp_master_refresh_repeat", "COUNT", clamped(1, 4_294_967_295), "global", "", "", "As vrrp_garp_master_refresh_repeat", "vrrp" => Keyword, Effective, shown "engine::announcements_are_timed_and_counted_as_configured";
        "garp_lower_prio_delay", "SECS (uint)", int(0, 4294), "global (0 if strict)", "", "", "As vrrp_garp_lower_prio_delay", "vrrp" => Keyword, Effective, shown "engine::a_lower_claim_is_announced_against_as_configured";
        "garp_lower_prio_repeat", "COUNT", int(0, 2_147_483_647), "global (0 if strict)", "", "", "As vrrp_garp_lower_prio_repeat", "vrrp" => Keyword, Effective, shown "engine::a_lower_claim_is_announced_against_as_configured";
        "down_timer_adverts", "N", int(1, 100), "global", "3 if strict", "", "Missed adverts before takeover", "vrrp" => Keyword, Effective, shown "engine::a_master_is_waited_for_as_many_adverts_as_configured";
        "timer_expired_backup", "[PRIO]", int(1, 254), "off; 254 if no value", "needs nopreempt", "", "Fall back to BACKUP when scheduling was late enough for another to take over", "vrrp" => Keyword, Accepted, since "2.2.8";
        "thread_timer_expired", "[PRIO]", int(1, 254), "off", "", "alias of timer_expired_backup, reports error", "As timer_expired_backup", "vrrp" => Keyword, Deprecated("timer_expired_backup", Reported, Accepted), since "2.3.2";
        "garp_extra_if", "[all] SECS", Value::Words, "global", "0..86400, 0 disables", "", "As vrrp_garp_extra_if", "vmac" => Keyword, Effective, shown "engine::other_interfaces_are_announced_on_as_often_as_configured";
        "vmac_garp_intvl", "[all] SECS", Value::Words, "global", "0..86400", "deprecated alias of garp_extra_if (after 2.2.2); reports, -t exit 5", "As garp_extra_if", "vmac" => Keyword, Deprecated("garp_extra_if", Reported, Effective), shown "engine::other_interfaces_are_announced_on_as_often_as_configured";
        "lower_prio_no_advert", "[BOOL]", Value::Switch, "global (on if strict)", "", "", "As vrrp_lower_prio_no_advert", "vrrp" => Keyword, Effective, shown "engine::a_lower_claim_may_be_left_unanswered";
        "higher_prio_send_advert", "[BOOL]", Value::Switch, "global (off if strict)", "", "", "As vrrp_higher_prio_send_advert", "vrrp" => Keyword, Effective, shown "engine::a_higher_claim_may_be_told_of_ours";
        "owner_ignore_adverts", "[BOOL]", Value::Switch, "global; on if strict and 255", "only with priority 255; explicit off is overridden to on; explicit off with 255 is reported (exit 5) even without strict", "not in man page", "Ignore adverts while address owner", "vrrp" => Keyword, Effective, since "2.3.3", shown "engine::an_owner_may_be_told_to_ignore_adverts";
        "kernel_rx_buf_size", "BYTES", int(0, 4_294_967_295), "vrrp_rx_bufs_policy", "", "", "Receive buffer contribution of this instance", "vrrp" => Keyword, Effective, missing Error, shown "engine::the_receive_buffer_can_be_sized";
        "authentication", "{ block }", Value::Block, "none", "VRRPv2 only; dropped with strict or auth_hmac; empty block accepted", "", "Legacy VRRPv2 authentication", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
        "auth_hmac", "{ block }", Value::Block, "none", "new in 2.4.x; excludes authentication", "", "HMAC-SHA256 trailer protecting adverts, v2 and v3", "vrrp" => Keyword, Accepted, since "2.4.0", details "All routers need the same keys. To change one: add it everywhere, then make it the `active_key` everywhere, then remove the old one.";
    }
    in "vrrp_instance/authentication" => {
        "auth_type", "PASS or AH", Value::Choice(&["PASS", "AH"]), "none", "case-sensitive; AH IPv4 only", "", "Authentication method", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
        "auth_pass", "STRING", Value::Text, "none", "first 8 bytes used, longer truncated with error", "", "Shared password", "vrrp" => Keyword, Effective, shown "engine::what_an_instance_is_stands_in_its_adverts";
    }
    in "vrrp_instance/auth_hmac" => {
        "key", "ID VALUE", Value::Words, "none", "id 1..255; value ASCII, hex:..., file:PATH; 32..64 bytes; unique id", "", "Signing and verification key", "vrrp" => Keyword, Accepted, since "2.4.0";
        "active_key", "ID", int(1, 255), "required", "must be defined", "", "Key used for sending", "vrrp" => Keyword, Accepted, since "2.4.0";
        "time_window", "SECS", int(1, 300), "max(3 x advert_int, 5), at most 300", "", "", "Freshness window in time mode", "vrrp" => Keyword, Accepted, since "2.4.0";
        "anti_replay", "time or monotonic", Value::Choice(&["time", "monotonic"]), "time", "", "", "Replay protection mode", "vrrp" => Keyword, Accepted, since "2.4.0";
        "mode", "enforce, permissive or receive-only", Value::Choice(&["enforce", "permissive", "receive-only"]), "enforce", "strict forces enforce", "", "Migration mode", "vrrp" => Keyword, Accepted, since "2.4.0";
    }
    in "vrrp_script" => {
        "script", "COMMAND (quoted ok)", Value::Command, "required", "", "", "Command to run", "script-track" => Keyword, Accepted, missing Error, details "Not run in a shell: a command with arguments is one quoted word.";
        "interval", "SECS (decimal, ms)", seconds(0, 4_294_000_000), "1", "0 becomes 1 with error", "", "Run period", "script-track" => Keyword, Accepted;
        "timeout", "SECS (decimal, ms)", seconds(0, 4_294_000_000), "interval (dump shows 0)", "0 becomes 1 with error", "", "Time after which run counts as failed", "script-track" => Keyword, Accepted, details "Make it shorter than `interval`: a run that still goes on makes the next one wait.";
        "weight", "N [reverse]", int(-253, 253), "0", "-253..253", "", "Priority change; 0 means FAULT on failure", "script-track" => Keyword, Accepted, details "0 means FAULT on failure. A positive weight is added while the script succeeds, a negative one while it fails.";
        "rise", "N", int(1, 2_147_483_647), "1", "", "", "Successes needed to go up", "script-track" => Keyword, Accepted;
        "fall", "N", int(1, 2_147_483_647), "1", "", "", "Failures needed to go down", "script-track" => Keyword, Accepted;
        "user", "USER [[:]GROUP]", Value::Words, "script_user", "", "", "User running the script", "script-track" => Keyword, Accepted;
        "init_fail", "none", Value::None, "off", "", "", "Start in failed state", "script-track" => Keyword, Accepted, details "Without it the first run decides.";
    }
    in "vrrp_track_process" => {
        "process", "PATH_OR_NAME [PARAM ...]", Value::Words, "required", "given once; parameters imply full_command and exact match", "", "Process name or command line to match", "script-track" => Keyword, Accepted;
        "param_match", "[initial/partial]", Value::Choice(&["initial", "partial"]), "exact if no value", "sets full_command", "", "How parameters are compared", "script-track" => Keyword, Accepted;
        "weight", "N [reverse]", int(-254, 254), "0", "-254..254", "", "Priority change; 0 means FAULT", "script-track" => Keyword, Accepted, missing Error;
        "quorum", "N", int(1, 65_535), "1", "<= quorum_max", "", "Minimum matching processes", "script-track" => Keyword, Accepted;
        "quorum_max", "N", int(0, 65_535), "unlimited", "0 = must not run", "", "Maximum matching processes", "script-track" => Keyword, Accepted, details "0 says that the process must not run.";
        "delay", "SECS (decimal)", seconds(1, 3_600_000_000), "0", "", "", "Set both terminate_delay and fork_delay", "script-track" => Keyword, Accepted;
        "terminate_delay", "SECS (decimal)", seconds(1, 3_600_000_000), "0", "", "", "Delay before considered down", "script-track" => Keyword, Accepted;
        "fork_delay", "SECS (decimal)", seconds(1, 3_600_000_000), "0", "", "", "Delay before considered up", "script-track" => Keyword, Accepted;
        "full_command", "none", Value::None, "off", "", "", "Match full command line instead of comm", "script-track" => Keyword, Accepted;
    }
    in "vrrp_instance/unicast_peer" => {
        "min_ttl", "N", int(0, 255), "0", "", "", "Minimum received TTL", "vrrp" => LineOption, Effective, shown "engine::a_peer_is_heard_within_its_range_of_ttl";
        "max_ttl", "N", int(0, 255), "255", "", "", "Maximum received TTL", "vrrp" => LineOption, Effective, shown "engine::a_peer_is_heard_within_its_range_of_ttl";
    }
}
