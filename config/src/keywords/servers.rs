//! `virtual_server`, `real_server` and groups. One row per keyword; see `Keyword` for the columns.

use super::{Keyword, rows};

rows! {
    in "virtual_server" {
        "ip_family", "inet or inet6", "from addresses; inet", "must not conflict", "", "Address family of fwmark services", "lvs" => Keyword, Accepted;
        "retry", "N", "per checker type", "1..UINT32_MAX", "", "Default extra checks before failing", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "per checker type", ">= 0", "", "Default delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "delay_loop", ">= 0; 0 disables", "", "Default maximum random initial delay", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "5", "0.000001..4294.967295", "", "Default connection timeout", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "60", "> 0", "", "Default check period", "check" => Keyword, Accepted;
        "inhibit_on_failure", "none", "off", "", "", "Set weight 0 instead of removing failed real servers", "lvs" => Keyword, Accepted;
        "lb_algo", "NAME", "wlc (with error)", "rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos", "alias of lvs_sched", "Scheduler", "lvs" => Keyword, Accepted;
        "lvs_sched", "NAME", "wlc (with error)", "rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos", "", "Scheduler", "lvs" => Keyword, Accepted;
        "hashed", "none", "off", "", "obsolete; no effect, reports error unless scheduler is sh or mh", "Former IPVS hashed flag", "lvs" => Keyword, Accepted;
        "ops", "none", "off", "UDP or fwmark only", "", "One packet scheduling", "lvs" => Keyword, Accepted;
        "flag-1", "none", "off", "", "", "Scheduler flag 1", "lvs" => Keyword, Accepted;
        "flag-2", "none", "off", "", "", "Scheduler flag 2", "lvs" => Keyword, Accepted;
        "flag-3", "none", "off", "", "", "Scheduler flag 3", "lvs" => Keyword, Accepted;
        "sh-port", "none", "off", "after scheduler sh set", "", "sh: include port in hash", "lvs" => Keyword, Accepted;
        "sh-fallback", "none", "off", "after scheduler sh set", "", "sh: fall back if server unavailable", "lvs" => Keyword, Accepted;
        "mh-port", "none", "off", "after scheduler mh set", "", "mh: include port in hash", "lvs" => Keyword, Accepted;
        "mh-fallback", "none", "off", "after scheduler mh set", "", "mh: fall back if server unavailable", "lvs" => Keyword, Accepted;
        "lb_kind", "NAT, DR or TUN [type ipip/gue/gre] [port N] [nocsum/csum/remcsum]", "NAT (with error)", "gue needs port; ipip no csum; gre no remcsum; case-sensitive; options after NAT or DR are ignored", "alias of lvs_method", "Forwarding method", "lvs" => Keyword, Accepted;
        "lvs_method", "NAT, DR or TUN [type ipip/gue/gre] [port N] [nocsum/csum/remcsum]", "NAT (with error)", "as lb_kind; options after NAT or DR are ignored", "", "Forwarding method", "lvs" => Keyword, Accepted;
        "persistence_engine", "NAME", "none", "max 15 chars, truncated", "", "Persistence engine (sip)", "lvs" => Keyword, Accepted;
        "persistence_timeout", "[SECS]", "0 (off); 360 if no value", "1..2678400", "", "Persistence time", "lvs" => Keyword, Accepted;
        "persistence_granularity", "IPv4 NETMASK or IPv6 PREFIX", "255.255.255.255 / 128", "IPv4 dotted mask, not validated (24 is taken as 0.0.0.24, 255.0.255.0 passes); IPv6 1..128; sets persistence_timeout 360", "", "Persistence granularity", "lvs" => Keyword, Accepted;
        "protocol", "TCP, UDP or SCTP", "UDP (with error)", "case-insensitive; ignored with a warning (-t exit 5) for fwmark", "", "Transport protocol", "lvs" => Keyword, Accepted;
        "ha_suspend", "none", "off", "not with fwmarks", "", "Suspend checks unless VIP is on this host", "check" => Keyword, Accepted;
        "smtp_alert", "[BOOL]", "smtp_alert_checker, smtp_alert, else off", "BOOL", "", "Mail on quorum changes", "smtp" => Keyword, Accepted;
        "virtualhost", "STRING", "none", "", "", "Default Host header", "check" => Keyword, Accepted, missing Error;
        "snmp_name", "STRING", "none", "exactly one", "", "Name shown in SNMP", "snmp" => Keyword, Accepted, missing Error;
        "alpha", "none", "off", "", "", "Assume real servers down at start", "lvs" => Keyword, Accepted;
        "omega", "none", "off", "", "", "Run quorum_down and notify_down at shutdown", "lvs" => Keyword, Accepted;
        "quorum_up", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run when quorum gained", "script-track" => Keyword, Accepted;
        "quorum_down", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run when quorum lost", "script-track" => Keyword, Accepted;
        "quorum", "N", "1", "1..UINT_MAX; reduced to total weight with a warning", "", "Total live weight needed", "lvs" => Keyword, Accepted;
        "hysteresis", "N", "0", "0..UINT_MAX; must be < quorum", "", "Quorum dampening", "lvs" => Keyword, Accepted;
        "weight", "N", "1", "1..2147483647", "", "Default real server weight", "lvs" => Keyword, Accepted;
        "sorry_server", "IP [PORT]", "none", "", "", "Server used when quorum lost", "lvs" => Keyword, Accepted;
        "sorry_server_inhibit", "none", "off", "after sorry_server", "", "Keep sorry server with weight 0 instead of removing", "lvs" => Keyword, Accepted;
        "sorry_server_lvs_method", "as lvs_method", "virtual server's", "after sorry_server", "", "Forwarding method of sorry server", "lvs" => Keyword, Accepted, missing Error;
        "real_server", "IP [PORT] { block }", "", "port default virtual server's", "", "A real server", "lvs" => Keyword, Accepted;
    }
    in "virtual_server/real_server" {
        "weight", "N", "virtual server weight, 1", "0..2147483647; if all are 0, quorum becomes 0 with warnings", "", "Initial weight", "lvs" => Keyword, Accepted;
        "lvs_method", "as virtual_server lvs_method", "virtual server's", "options after NAT or DR are ignored", "", "Forwarding method", "lvs" => Keyword, Accepted;
        "uthreshold", "N", "0", "0..UINT_MAX", "", "Upper connection threshold", "lvs" => Keyword, Accepted;
        "lthreshold", "N", "0", "0..UINT_MAX", "", "Lower connection threshold", "lvs" => Keyword, Accepted;
        "inhibit_on_failure", "[BOOL]", "virtual server's", "BOOL", "", "Weight 0 instead of removal", "lvs" => Keyword, Accepted;
        "notify_up", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run when real server comes up", "script-track" => Keyword, Accepted;
        "notify_down", "SCRIPT [user [[:]group]] (quoted ok)", "none", "missing script or unknown user not reported by -t", "", "Run when real server goes down", "script-track" => Keyword, Accepted;
        "alpha", "[BOOL]", "virtual server's", "BOOL", "", "Assume down at start", "lvs" => Keyword, Accepted;
        "retry", "N", "virtual server's", "1..UINT32_MAX", "", "Default retries for checkers", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "virtual server's", ">= 0", "", "Default delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "virtual server's", ">= 0", "", "Default warmup", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "virtual server's", "0.000001..4294.967295", "", "Default connection timeout", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "virtual server's", "> 0", "", "Default check period", "check" => Keyword, Accepted;
        "smtp_alert", "[BOOL]", "smtp_alert_checker, smtp_alert, else ON", "BOOL", "", "Mail on checker or server state change", "smtp" => Keyword, Accepted;
        "virtualhost", "STRING", "virtual server's", "", "", "Default Host header", "check" => Keyword, Accepted, missing Error;
        "snmp_name", "STRING", "none", "exactly one", "", "Name shown in SNMP", "snmp" => Keyword, Accepted, missing Error;
        "MISC_CHECK", "{ block }", "", "", "", "Script checker", "check" => Keyword, Accepted;
        "SMTP_CHECK", "{ block }", "", "", "", "SMTP dialogue checker", "check" => Keyword, Accepted;
        "TCP_CHECK", "{ block }", "", "", "", "TCP connect checker", "check" => Keyword, Accepted;
        "PING_CHECK", "{ block }", "", "may widen sysctl ping_group_range", "", "ICMP echo checker", "check" => Keyword, Accepted;
        "UDP_CHECK", "{ block }", "", "", "", "UDP datagram checker", "check" => Keyword, Accepted;
        "HTTP_GET", "{ block }", "", "needs at least one url", "", "HTTP checker", "check" => Keyword, Accepted;
        "SSL_GET", "{ block }", "", "needs at least one url", "", "HTTPS checker", "ssl" => Keyword, Accepted;
        "DNS_CHECK", "{ block }", "", "", "", "DNS over UDP checker", "check" => Keyword, Accepted;
        "FILE_CHECK", "{ block }", "", "no common checker keywords", "", "Track file based checker", "check" => Keyword, Accepted;
        "BFD_CHECK", "{ block }", "", "no common checker keywords except alpha", "", "BFD session checker", "bfd" => Keyword, Accepted;
    }
    in "virtual_server_group" {
        "ADDR [PORT]", "IP [PORT]", "no port", "", "", "One address", "lvs" => LineOption, Accepted;
        "ADDR-N [PORT]", "IPv4 last octet / IPv6 last 16 bits", "", "N > start", "", "Range on last part", "lvs" => LineOption, Accepted;
        "ADDR-ADDR [PORT]", "two IPs", "", "end >= start", "", "Full range", "lvs" => LineOption, Accepted;
        "ADDR/LEN [PORT]", "prefix", "", "host bits zero", "", "All addresses of a prefix", "lvs" => LineOption, Accepted;
        "fwmark", "N [inet/inet6]", "no family", "0..UINT32_MAX", "", "Firewall mark", "lvs" => LineOption, Accepted;
    }
}
