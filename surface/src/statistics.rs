//! `keepalived.stats` (SIGUSR2), in keepalived's words.

use keepalived_state::Snapshot;

/// The statistics file.
pub fn statistics(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for instance in &snapshot.vrrp.instances {
        let counters = &instance.counters;
        let groups: [(&str, &[(&str, u64)]); 7] = [
            ("Advertisements", &[("Received", counters.advert_rcvd), ("Sent", counters.advert_sent)]),
            (
                "Packet Errors",
                &[
                    ("Length", counters.packet_len_err),
                    ("TTL", counters.ip_ttl_err),
                    ("Invalid Type", counters.invalid_type_rcvd),
                    ("Advertisement Interval", counters.advert_interval_err),
                    ("Address List", counters.addr_list_err),
                ],
            ),
            (
                "Authentication Errors",
                &[
                    ("Invalid Type", counters.invalid_authtype),
                    ("Type Mismatch", counters.authtype_mismatch),
                    ("Failure", counters.auth_failure),
                ],
            ),
            (
                "Authentication Extension Errors",
                &[
                    ("Missing", counters.auth_ext_missing),
                    ("Malformed", counters.auth_ext_malformed),
                    ("Unknown Key", counters.auth_ext_unknown_key),
                    ("Invalid HMAC", counters.auth_ext_invalid_hmac),
                    ("Stale", counters.auth_ext_stale),
                    ("Replay", counters.auth_ext_replay),
                ],
            ),
            ("Priority Zero", &[("Received", counters.pri_zero_rcvd), ("Sent", counters.pri_zero_sent)]),
            // ours; readers of keepalived's file stop at what they know
            (
                "Checksum Forms",
                &[
                    ("Pseudo Header", counters.checksum_pseudo_header),
                    ("Plain", counters.checksum_plain),
                    ("Old Unicast", counters.checksum_old_unicast),
                ],
            ),
            (
                "Other Errors",
                &[
                    ("Checksum", counters.checksum_err),
                    ("Version", counters.version_err),
                    ("Zero Interval", counters.zero_interval_err),
                    ("Unknown Source", counters.unknown_source),
                    ("Owner Ignored", counters.owner_ignored),
                ],
            ),
        ];
        text += &format!("VRRP Instance: {}\n", instance.name);
        for (position, (title, lines)) in groups.iter().enumerate() {
            text += &format!("  {title}:\n");
            for (label, value) in *lines {
                text += &format!("    {label}: {value}\n");
            }
            if position == 0 {
                text += &format!("  Became master: {}\n", counters.become_master);
                text += &format!("  Released master: {}\n", counters.release_master);
            }
        }
    }
    text
}
