//! Everything that starts with `vrrp`. One row per keyword; see `Keyword` for the columns.

use super::{Keyword, rows};

rows! {
    in "vrrp_sync_group" {
        "group", "{ instance names }", "required", "given once; empty group removed", "", "Members of the sync group", "vrrp" => Keyword, Effective;
        "track_interface", "{ IF [weight N [reverse]] }", "weight 0", "-253..253 (+-254 becomes +-253 with error); empty block accepted", "", "Interfaces tracked for all members", "script-track" => Keyword, Accepted;
        "track_script", "{ NAME [weight N [reverse/noreverse]] }", "weight of script", "-253..253", "", "Scripts tracked for all members", "script-track" => Keyword, Accepted;
        "track_file", "{ NAME [weight N [reverse/noreverse]] }", "weight of file", "-254..254; undefined name crashes upstream if another track_file is defined", "", "Track files for all members", "script-track" => Keyword, Accepted;
        "track_process", "{ NAME [weight N [reverse/noreverse]] }", "weight of process", "-254..254", "", "Processes tracked for all members", "script-track" => Keyword, Accepted;
        "track_bfd", "{ NAME [weight N [reverse/noreverse]] }", "weight of bfd", "-253..253", "", "BFD sessions tracked for all members", "bfd" => Keyword, Accepted;
        "notify_backup", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run on group transition to BACKUP", "script-track" => Keyword, Accepted;
        "notify_master", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run on group transition to MASTER", "script-track" => Keyword, Accepted;
        "notify_fault", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run on group transition to FAULT", "script-track" => Keyword, Accepted;
        "notify_stop", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run when VRRP stops", "script-track" => Keyword, Accepted;
        "notify", "SCRIPT [user [[:]group]] (quoted ok)", "none", "4 arguments appended; missing script or unknown user not reported by -t", "", "Run on every transition with GROUP, name, state, priority", "script-track" => Keyword, Accepted;
        "smtp_alert", "[BOOL]", "smtp_alert_vrrp, smtp_alert, else off", "BOOL", "", "Mail on group transitions", "smtp" => Keyword, Accepted;
        "global_tracking", "none", "off", "", "deprecated, reports error; acts as sync_group_tracking_weight", "Allow differing weights", "script-track" => Keyword, Deprecated("sync_group_tracking_weight", Reported, Accepted);
        "sync_group_tracking_weight", "none", "off", "", "", "Allow weighted trackers on members", "script-track" => Keyword, Accepted;
        "notify_priority_changes", "[BOOL]", "unset", "BOOL", "", "Default for members of notify_priority_changes", "script-track" => Keyword, Accepted;
    }
    in "vrrp_instance" {
        "use_vmac", "[[name] IF] [MAC] [netlink_notify_msg] [group G]", "off; name prefix.VRID", "MAC of 5 or 6 octets, unicast, not RFC range", "", "Run on a macvlan with virtual MAC", "vmac" => Keyword, Accepted;
        "use_vmac_addr", "none", "off", "", "", "Create a VMAC for each VIP on another interface or family", "vmac" => Keyword, Accepted;
        "vmac_xmit_base", "none", "off (forced on for unicast)", "needs use_vmac", "", "Send and receive adverts on the parent interface", "vmac" => Keyword, Accepted;
        "use_ipvlan", "[[name] IF] [IP] [bridge/private/vepa] [group G]", "off; bridge", "IPv4 instance needs IP; one mode per parent", "", "Run on an ipvlan L2 interface", "vmac" => Keyword, Accepted;
        "unicast_peer", "{ IP [min_ttl N] [max_ttl N] }", "multicast", "ttl 0..255; family must match; no duplicates", "", "Send adverts to listed peers; ttl options enable check_unicast_src", "vrrp" => Keyword, Effective;
        "unicast_fault_no_peer", "none", "off", "", "", "FAULT instead of multicast when unicast configured without peers", "vrrp" => Keyword, Effective;
        "check_unicast_src", "none", "off", "without unicast_peer: deprecation warning (-t exit 5)", "", "Drop adverts from addresses not in unicast_peer", "vrrp" => Keyword, Effective;
        "old_unicast_checksum", "[never]", "auto detect", "never", "only if built with OLD_CHKSUM_COMPAT", "Use pre-1.3.7 VRRPv3 unicast checksum, or never fall back to it", "vrrp" => Keyword, Effective;
        "native_ipv6", "none", "", "", "deprecated", "Force IPv6 and version 3", "vrrp" => Keyword, Deprecated("version 3", Silent, Effective);
        "state", "MASTER or BACKUP", "MASTER if priority 255 else BACKUP", "unknown word becomes BACKUP; MASTER is not overridden", "", "Initial state", "vrrp" => Keyword, Effective;
        "interface", "IFNAME", "none", "not loopback; optional with unicast and source address", "", "Interface the instance runs on", "vrrp" => Keyword, Effective;
        "vrf", "IFNAME", "none", "unicast without interface only", "", "VRF device for the sockets", "vrrp" => Keyword, Accepted;
        "dont_track_primary", "none", "off", "", "", "Ignore state of own interface", "vrrp" => Keyword, Effective;
        "track_interface", "{ IF [weight N [reverse]] }", "weight 0", "-253..253 (+-254 becomes +-253 with error); empty block accepted", "", "Interfaces tracked by instance", "script-track" => Keyword, Accepted;
        "track_script", "{ NAME [weight N [reverse/noreverse]] }", "script's weight", "-253..253", "", "Scripts tracked by instance", "script-track" => Keyword, Accepted;
        "track_file", "{ NAME [weight N [reverse/noreverse]] }", "file's weight", "-254..254; undefined name crashes upstream if another track_file is defined", "", "Track files used by instance", "script-track" => Keyword, Accepted;
        "track_process", "{ NAME [weight N [reverse/noreverse]] }", "process's weight", "-254..254", "", "Processes tracked by instance", "script-track" => Keyword, Accepted;
        "track_bfd", "{ NAME [weight N [reverse/noreverse]] }", "bfd's weight", "-253..253", "", "BFD sessions tracked by instance", "bfd" => Keyword, Accepted;
        "mcast_src_ip", "IP", "primary address", "family must match", "", "Source address of adverts", "vrrp" => Keyword, Effective;
        "unicast_src_ip", "IP", "primary address", "family must match; without unicast_peer: deprecation warning (-t exit 5)", "", "Source address; marks instance as unicast", "vrrp" => Keyword, Effective;
        "mcast_dst_ip", "IP", "global group", "multicast (IPv6 link-local)", "", "Alternative advert group", "vrrp" => Keyword, Effective;
        "track_src_ip", "none", "off", "useful only with a configured source; not reported otherwise", "", "FAULT if configured source address is missing", "vrrp" => Keyword, Effective;
        "virtual_router_id", "N", "required", "1..255", "", "VRID", "vrrp" => Keyword, Effective;
        "unicast_ttl", "N", "255 IPv4; kernel IPv6", "0..255; needs unicast_peer", "", "TTL or hop limit of sent adverts", "vrrp" => Keyword, Effective;
        "version", "N", "vrrp_version; 3 for IPv6", "2 or 3", "", "VRRP version", "vrrp" => Keyword, Effective;
        "priority", "N", "100, or 255 if state MASTER and no priority", "1..255", "", "Base priority; 255 = address owner", "vrrp" => Keyword, Effective;
        "advert_int", "SECS (decimal)", "1", "0.01..255; v2 whole seconds, v3 0.01..40.95, rounded", "", "Advertisement interval", "vrrp" => Keyword, Effective;
        "virtual_ipaddress", "{ address lines }", "none", "<= 255 and fits MTU, excess become excluded; one family; no VIP at all: warning, exit 5 (error if strict)", "", "Advertised VIPs", "vrrp" => Keyword, Effective;
        "virtual_ipaddress_excluded", "{ address lines }", "none", "families may be mixed", "", "VIPs managed but not advertised", "vrrp" => Keyword, Effective;
        "no_virtual_ipaddress", "none", "off", "", "", "Allow instance without VIPs", "vrrp" => Keyword, Effective;
        "promote_secondaries", "none", "off", "ignored for VMACs (always set)", "", "Set promote_secondaries sysctl on interface", "vrrp" => Keyword, Effective;
        "linkbeat_use_polling", "none", "off", "", "deprecated, use linkbeat_interfaces", "Poll link state of own interface", "core" => Keyword, Deprecated("linkbeat_interfaces", Reported, Accepted);
        "v3_checksum_as_v2", "[BOOL]", "global", "BOOL", "", "VRRPv3 IPv4 checksum without pseudo-header (RFC9568)", "vrrp" => Keyword, Effective;
        "virtual_routes", "{ route lines }", "none", "", "", "Routes present while master", "route-rule" => Keyword, Accepted;
        "virtual_rules", "{ rule lines }", "none", "", "", "Policy rules present while master", "route-rule" => Keyword, Accepted;
        "accept", "none", "on; off in strict mode unless 255", "", "", "Accept packets addressed to VIPs when not owner", "vrrp" => Keyword, Effective;
        "no_accept", "none", "", "", "Firewall build only", "Drop packets addressed to VIPs when not owner", "nftables" => Keyword, Accepted;
        "skip_check_adv_addr", "[BOOL]", "global", "any valid BOOL, even off, sets it", "", "Skip VIP list check from same master", "vrrp" => Keyword, Effective;
        "strict_mode", "[BOOL]", "vrrp_strict", "BOOL", "", "Strict protocol compliance", "vrrp" => Keyword, Effective;
        "preempt", "none", "on", "", "", "Clear nopreempt", "vrrp" => Keyword, Effective;
        "nopreempt", "none", "off", "cleared if state MASTER or priority 255", "", "Do not take over from a lower priority master", "vrrp" => Keyword, Effective;
        "preempt_delay", "SECS (decimal)", "0", "0..1000; cleared with MASTER, strict or nopreempt", "", "Delay before preempting", "vrrp" => Keyword, Effective;
        "debug", "N", "0", "0..4", "", "Unused debug level", "other" => Keyword, Accepted;
        "notify_backup", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run on transition to BACKUP", "script-track" => Keyword, Accepted;
        "notify_master", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run on transition to MASTER", "script-track" => Keyword, Accepted;
        "notify_fault", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run on transition to FAULT", "script-track" => Keyword, Accepted;
        "notify_stop", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run when VRRP stops", "script-track" => Keyword, Accepted;
        "notify_deleted", "[SCRIPT [user [[:]group]]] (quoted ok)", "off", "missing script or unknown user not reported by -t", "", "Report DELETED (not FAULT) when removed by reload; optional script", "script-track" => Keyword, Accepted;
        "notify", "SCRIPT [user [[:]group]] (quoted ok)", "none", "4 arguments appended; missing script or unknown user not reported by -t", "", "Run on every transition with INSTANCE, name, state, priority", "script-track" => Keyword, Accepted;
        "notify_master_rx_lower_pri", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run when master receives a lower priority advert", "script-track" => Keyword, Accepted;
        "smtp_alert", "[BOOL]", "smtp_alert_vrrp, smtp_alert, else off", "BOOL", "", "Mail on transitions", "smtp" => Keyword, Accepted;
        "notify_priority_changes", "[BOOL]", "group, then global", "BOOL", "", "FIFO lines on effective priority changes", "script-track" => Keyword, Accepted;
        "lvs_sync_daemon_interface", "IFNAME", "none", "", "deprecated after 1.2.19, use lvs_sync_daemon", "Sync daemon interface following this instance", "lvs-sync" => Keyword, Deprecated("lvs_sync_daemon", Reported, Accepted);
        "garp_master_delay", "SECS (uint)", "global", "0..4294", "", "As vrrp_garp_master_delay", "vrrp" => Keyword, Effective;
        "garp_master_refresh", "SECS (uint)", "global", "0..UINT_MAX", "", "As vrrp_garp_master_refresh", "vrrp" => Keyword, Effective;
        "garp_master_repeat", "COUNT", "global", "1..UINT_MAX", "", "As vrrp_garp_master_repeat", "vrrp" => Keyword, Effective;
        "garp_master_refresh_repeat", "COUNT", "global", "1..UINT_MAX", "", "As vrrp_garp_master_refresh_repeat", "vrrp" => Keyword, Effective;
        "garp_lower_prio_delay", "SECS (uint)", "global (0 if strict)", "0..4294", "", "As vrrp_garp_lower_prio_delay", "vrrp" => Keyword, Effective;
        "garp_lower_prio_repeat", "COUNT", "global (0 if strict)", "0..INT_MAX", "", "As vrrp_garp_lower_prio_repeat", "vrrp" => Keyword, Effective;
        "down_timer_adverts", "N", "global", "1..100; 3 if strict", "", "Missed adverts before takeover", "vrrp" => Keyword, Effective;
        "timer_expired_backup", "[PRIO]", "off; 254 if no value", "1..254; needs nopreempt", "", "Fall back to BACKUP when scheduling was late enough for another to take over", "vrrp" => Keyword, Accepted;
        "thread_timer_expired", "[PRIO]", "off", "1..254", "alias of timer_expired_backup, reports error", "As timer_expired_backup", "vrrp" => Keyword, Deprecated("timer_expired_backup", Reported, Accepted);
        "garp_extra_if", "[all] SECS", "global", "0..86400, 0 disables", "", "As vrrp_garp_extra_if", "vmac" => Keyword, Effective;
        "vmac_garp_intvl", "[all] SECS", "global", "0..86400", "deprecated alias of garp_extra_if (after 2.2.2); reports, -t exit 5", "As garp_extra_if", "vmac" => Keyword, Deprecated("garp_extra_if", Reported, Effective);
        "lower_prio_no_advert", "[BOOL]", "global (on if strict)", "BOOL", "", "As vrrp_lower_prio_no_advert", "vrrp" => Keyword, Effective;
        "higher_prio_send_advert", "[BOOL]", "global (off if strict)", "BOOL", "", "As vrrp_higher_prio_send_advert", "vrrp" => Keyword, Effective;
        "owner_ignore_adverts", "[BOOL]", "global; on if strict and 255", "only with priority 255; explicit off is overridden to on; explicit off with 255 is reported (exit 5) even without strict", "not in man page", "Ignore adverts while address owner", "vrrp" => Keyword, Effective;
        "kernel_rx_buf_size", "BYTES", "vrrp_rx_bufs_policy", "0..UINT_MAX", "", "Receive buffer contribution of this instance", "vrrp" => Keyword, Effective, missing Error;
        "authentication", "{ block }", "none", "VRRPv2 only; dropped with strict or auth_hmac; empty block accepted", "", "Legacy VRRPv2 authentication", "vrrp" => Keyword, Effective;
        "auth_hmac", "{ block }", "none", "new in 2.4.x; excludes authentication", "", "HMAC-SHA256 trailer protecting adverts, v2 and v3", "vrrp" => Keyword, Accepted;
    }
    in "vrrp_instance/authentication" {
        "auth_type", "PASS or AH", "none", "case-sensitive; AH IPv4 only", "", "Authentication method", "vrrp" => Keyword, Effective;
        "auth_pass", "STRING", "none", "first 8 bytes used, longer truncated with error", "", "Shared password", "vrrp" => Keyword, Effective;
    }
    in "vrrp_instance/auth_hmac" {
        "key", "ID VALUE", "none", "id 1..255; value ASCII, hex:..., file:PATH; 32..64 bytes; unique id", "", "Signing and verification key", "vrrp" => Keyword, Accepted;
        "active_key", "ID", "required", "1..255, must be defined", "", "Key used for sending", "vrrp" => Keyword, Accepted;
        "time_window", "SECS", "max(3 x advert_int, 5), at most 300", "1..300", "", "Freshness window in time mode", "vrrp" => Keyword, Accepted;
        "anti_replay", "time or monotonic", "time", "", "", "Replay protection mode", "vrrp" => Keyword, Accepted;
        "mode", "enforce, permissive or receive-only", "enforce", "strict forces enforce", "", "Migration mode", "vrrp" => Keyword, Accepted;
    }
    in "vrrp_script" {
        "script", "COMMAND (quoted ok)", "required", "", "", "Command to run", "script-track" => Keyword, Accepted, missing Error;
        "interval", "SECS (decimal, ms)", "1", "0..4294; 0 becomes 1 with error", "", "Run period", "script-track" => Keyword, Accepted;
        "timeout", "SECS (decimal, ms)", "interval (dump shows 0)", "0..4294; 0 becomes 1 with error", "", "Time after which run counts as failed", "script-track" => Keyword, Accepted;
        "weight", "N [reverse]", "0", "-253..253", "", "Priority change; 0 means FAULT on failure", "script-track" => Keyword, Accepted;
        "rise", "N", "1", "1..INT_MAX", "", "Successes needed to go up", "script-track" => Keyword, Accepted;
        "fall", "N", "1", "1..INT_MAX", "", "Failures needed to go down", "script-track" => Keyword, Accepted;
        "user", "USER [[:]GROUP]", "script_user", "", "", "User running the script", "script-track" => Keyword, Accepted;
        "init_fail", "none", "off", "", "", "Start in failed state", "script-track" => Keyword, Accepted;
    }
    in "vrrp_track_process" {
        "process", "PATH_OR_NAME [PARAM ...]", "required", "given once; parameters imply full_command and exact match", "", "Process name or command line to match", "script-track" => Keyword, Accepted;
        "param_match", "[initial/partial]", "exact if no value", "sets full_command", "", "How parameters are compared", "script-track" => Keyword, Accepted;
        "weight", "N [reverse]", "0", "-254..254", "", "Priority change; 0 means FAULT", "script-track" => Keyword, Accepted, missing Error;
        "quorum", "N", "1", "1..65535, <= quorum_max", "", "Minimum matching processes", "script-track" => Keyword, Accepted;
        "quorum_max", "N", "unlimited", "0..65535; 0 = must not run", "", "Maximum matching processes", "script-track" => Keyword, Accepted;
        "delay", "SECS (decimal)", "0", "0.000001..3600", "", "Set both terminate_delay and fork_delay", "script-track" => Keyword, Accepted;
        "terminate_delay", "SECS (decimal)", "0", "0.000001..3600", "", "Delay before considered down", "script-track" => Keyword, Accepted;
        "fork_delay", "SECS (decimal)", "0", "0.000001..3600", "", "Delay before considered up", "script-track" => Keyword, Accepted;
        "full_command", "none", "off", "", "", "Match full command line instead of comm", "script-track" => Keyword, Accepted;
    }
    in "vrrp_instance/unicast_peer" {
        "min_ttl", "N", "0", "0..255", "", "Minimum received TTL", "vrrp" => LineOption, Effective;
        "max_ttl", "N", "255", "0..255", "", "Maximum received TTL", "vrrp" => LineOption, Effective;
    }
}
