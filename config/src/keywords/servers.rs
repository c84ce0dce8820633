//! `virtual_server`, `real_server` and groups. One row per keyword; see `Keyword` for the columns.

use super::value::{LONGEST, Value, int, seconds};
use super::{Keyword, Table, rows};
use crate::model::Scheduler;

rows! {
    in "virtual_server" => {
        "nat_mask", "NETMASK", Value::Address, "", "", "in keepalived before 1.0", "Netmask of a NAT service", "ours" => Keyword, Obsolete("remove it: the kernel takes no netmask for a service; persistence_granularity groups clients by network"), shown "language::an_obsolete_word_gets_advice";
        "net_mask", "NETMASK", Value::Address, "", "", "in keepalived before 1.0", "Netmask of a NAT service", "ours" => Keyword, Obsolete("remove it: the kernel takes no netmask for a service; persistence_granularity groups clients by network"), shown "language::an_obsolete_word_gets_advice";
        "ip_family", "inet or inet6", Value::Choice(&["inet", "inet6"]), "from addresses; inet", "must not conflict", "", "Address family of fwmark services", "lvs" => Keyword, Accepted;
        "retry", "N", int(1, 4_294_967_295), "per checker type", "", "", "Default extra checks before failing", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", seconds(0, LONGEST), "per checker type", "", "", "Default delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", seconds(0, LONGEST), "delay_loop", "0 disables", "", "Default maximum random initial delay", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", seconds(1, 4_294_967_295), "5", "", "", "Default connection timeout", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", seconds(1, LONGEST), "60", "", "", "Default check period", "check" => Keyword, Accepted, details "From the result of one check to the next. With `retry` and `connect_timeout` it decides how long a dead server stays in use.";
        "inhibit_on_failure", "none", Value::None, "off", "", "", "Set weight 0 instead of removing failed real servers", "lvs" => Keyword, Accepted, details "Connections that exist go on to the failed server, and persistent clients stay with it; without, they are cut off.";
        "lb_algo", "NAME", Value::Choice(Scheduler::NAMES), "wlc (with error)", "", "alias of lvs_sched", "Scheduler", "lvs" => Keyword, Accepted;
        "lvs_sched", "NAME", Value::Choice(Scheduler::NAMES), "wlc (with error)", "", "", "Scheduler", "lvs" => Keyword, Accepted, details "`wlc` suits most; `sh` and `mh` send a client to the same server without persistence, `mh` also while servers come and go.";
        "hashed", "none", Value::None, "off", "", "obsolete; no effect, reports error unless scheduler is sh or mh", "Former IPVS hashed flag", "lvs" => Keyword, Accepted;
        "ops", "none", Value::None, "off", "UDP or fwmark only", "", "One packet scheduling", "lvs" => Keyword, Accepted, details "Each datagram is a connection of its own: for DNS and the like, where one client sends many requests from one port.";
        "flag-1", "none", Value::None, "off", "", "", "Scheduler flag 1", "lvs" => Keyword, Accepted;
        "flag-2", "none", Value::None, "off", "", "", "Scheduler flag 2", "lvs" => Keyword, Accepted;
        "flag-3", "none", Value::None, "off", "", "", "Scheduler flag 3", "lvs" => Keyword, Accepted;
        "sh-port", "none", Value::None, "off", "after scheduler sh set", "", "sh: include port in hash", "lvs" => Keyword, Accepted, details "Without it all connections of a client go to one server.";
        "sh-fallback", "none", Value::None, "off", "after scheduler sh set", "", "sh: fall back if server unavailable", "lvs" => Keyword, Accepted;
        "mh-port", "none", Value::None, "off", "after scheduler mh set", "", "mh: include port in hash", "lvs" => Keyword, Accepted;
        "mh-fallback", "none", Value::None, "off", "after scheduler mh set", "", "mh: fall back if server unavailable", "lvs" => Keyword, Accepted, details "Without it clients of a server with weight 0 are refused.";
        "lb_kind", "NAT, DR or TUN [type ipip/gue/gre] [port N] [nocsum/csum/remcsum]", Value::Words, "NAT (with error)", "gue needs port; ipip no csum; gre no remcsum; case-sensitive; options after NAT or DR are ignored", "alias of lvs_method", "Forwarding method", "lvs" => Keyword, Accepted;
        "lvs_method", "NAT, DR or TUN [type ipip/gue/gre] [port N] [nocsum/csum/remcsum]", Value::Words, "NAT (with error)", "as lb_kind; options after NAT or DR are ignored", "", "Forwarding method", "lvs" => Keyword, Accepted, details "`NAT`: answers come back through this machine, ports may differ. `DR`: the server is on the same link, has the virtual address on a device that does not answer ARP, and answers directly. `TUN`: as `DR`, over routers, wrapped.";
        "persistence_engine", "NAME", Value::Text, "none", "max 15 chars, truncated", "", "Persistence engine (sip)", "lvs" => Keyword, Accepted;
        "persistence_timeout", "[SECS]", int(1, 2_678_400), "0 (off); 360 if no value", "", "", "Persistence time", "lvs" => Keyword, Accepted, details "A client that comes back within this time gets the same server. Behind a large NAT all clients are one.";
        "persistence_granularity", "IPv4 NETMASK or IPv6 PREFIX", Value::Words, "255.255.255.255 / 128", "IPv4 dotted mask, not validated (24 is taken as 0.0.0.24, 255.0.255.0 passes); IPv6 1..128; sets persistence_timeout 360", "", "Persistence granularity", "lvs" => Keyword, Accepted, details "Clients of one network count as one: `255.255.255.0` joins 256 addresses.";
        "protocol", "TCP, UDP or SCTP", Value::Choice(&["TCP", "UDP", "SCTP"]), "UDP (with error)", "case-insensitive; ignored with a warning (-t exit 5) for fwmark", "", "Transport protocol", "lvs" => Keyword, Accepted, details "Without it the service is a UDP one, which is rarely meant.";
        "ha_suspend", "none", Value::None, "off", "not with fwmarks", "", "Suspend checks unless VIP is on this host", "check" => Keyword, Accepted, details "Keeps a backup router from checking servers that it does not use.";
        "smtp_alert", "[BOOL]", Value::Switch, "smtp_alert_checker, smtp_alert, else off", "", "", "Mail on quorum changes", "smtp" => Keyword, Accepted;
        "virtualhost", "STRING", Value::Text, "none", "", "", "Default Host header", "check" => Keyword, Accepted, missing Error;
        "snmp_name", "STRING", Value::Text, "none", "exactly one", "", "Name shown in SNMP", "snmp" => Keyword, Accepted, missing Error;
        "alpha", "none", Value::None, "off", "", "", "Assume real servers down at start", "lvs" => Keyword, Accepted, details "A server is used only after its first success, so a start brings no failed requests.";
        "omega", "none", Value::None, "off", "", "", "Run quorum_down and notify_down at shutdown", "lvs" => Keyword, Accepted, details "Without it a stop runs no script.";
        "quorum_up", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run when quorum gained", "script-track" => Keyword, Accepted;
        "quorum_down", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run when quorum lost", "script-track" => Keyword, Accepted;
        "quorum", "N", int(1, 4_294_967_295), "1", "reduced to total weight with a warning", "", "Total live weight needed", "lvs" => Keyword, Accepted, details "The sum of the weights of servers that are up, not their number. Below it the sorry server takes over, and `quorum_down` runs.";
        "hysteresis", "N", int(0, 4_294_967_295), "0", "must be < quorum", "", "Quorum dampening", "lvs" => Keyword, Accepted, details "Lost below quorum - hysteresis, regained at quorum + hysteresis.";
        "weight", "N", int(1, 2_147_483_647), "1", "", "", "Default real server weight", "lvs" => Keyword, Accepted;
        "sorry_server", "IP [PORT]", Value::Words, "none", "", "", "Server used when quorum lost", "lvs" => Keyword, Accepted, details "While it is in use no real server is.";
        "sorry_server_inhibit", "none", Value::None, "off", "after sorry_server", "", "Keep sorry server with weight 0 instead of removing", "lvs" => Keyword, Accepted;
        "sorry_server_lvs_method", "as lvs_method", Value::Words, "virtual server's", "after sorry_server", "", "Forwarding method of sorry server", "lvs" => Keyword, Accepted, missing Error;
        "real_server", "IP [PORT] { block }", Value::Block, "", "port default virtual server's", "", "A real server", "lvs" => Keyword, Accepted, details "The port counts with NAT; with DR and TUN packets keep theirs, and it is only checked.";
    }
    in "virtual_server/real_server" => {
        "weight", "N", int(0, 2_147_483_647), "virtual server weight, 1", "if all are 0, quorum becomes 0 with warnings", "", "Initial weight", "lvs" => Keyword, Accepted, details "With 0 it gets no new connections, those that exist go on: the way to take it out for maintenance.";
        "lvs_method", "as virtual_server lvs_method", Value::Words, "virtual server's", "options after NAT or DR are ignored", "", "Forwarding method", "lvs" => Keyword, Accepted;
        "uthreshold", "N", int(0, 4_294_967_295), "0", "", "", "Upper connection threshold", "lvs" => Keyword, Accepted, details "Above so many connections it gets no new ones.";
        "lthreshold", "N", int(0, 4_294_967_295), "0", "", "", "Lower connection threshold", "lvs" => Keyword, Accepted, details "After `uthreshold` was reached, it gets new ones again below this; not more than `uthreshold`.";
        "inhibit_on_failure", "[BOOL]", Value::Switch, "virtual server's", "", "", "Weight 0 instead of removal", "lvs" => Keyword, Accepted;
        "notify_up", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run when real server comes up", "script-track" => Keyword, Accepted;
        "notify_down", "SCRIPT [user [[:]group]] (quoted ok)", Value::Command, "none", "missing script or unknown user not reported by -t", "", "Run when real server goes down", "script-track" => Keyword, Accepted;
        "alpha", "[BOOL]", Value::Switch, "virtual server's", "", "", "Assume down at start", "lvs" => Keyword, Accepted;
        "retry", "N", int(1, 4_294_967_295), "virtual server's", "", "", "Default retries for checkers", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", seconds(0, LONGEST), "virtual server's", "", "", "Default delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", seconds(0, LONGEST), "virtual server's", "", "", "Default warmup", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", seconds(1, 4_294_967_295), "virtual server's", "", "", "Default connection timeout", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", seconds(1, LONGEST), "virtual server's", "", "", "Default check period", "check" => Keyword, Accepted;
        "smtp_alert", "[BOOL]", Value::Switch, "smtp_alert_checker, smtp_alert, else ON", "", "", "Mail on checker or server state change", "smtp" => Keyword, Accepted;
        "virtualhost", "STRING", Value::Text, "virtual server's", "", "", "Default Host header", "check" => Keyword, Accepted, missing Error;
        "snmp_name", "STRING", Value::Text, "none", "exactly one", "", "Name shown in SNMP", "snmp" => Keyword, Accepted, missing Error;
        "MISC_CHECK", "{ block }", Value::Block, "", "", "", "Script checker", "check" => Keyword, Accepted;
        "SMTP_CHECK", "{ block }", Value::Block, "", "", "", "SMTP dialogue checker", "check" => Keyword, Accepted;
        "TCP_CHECK", "{ block }", Value::Block, "", "", "", "TCP connect checker", "check" => Keyword, Accepted;
        "PING_CHECK", "{ block }", Value::Block, "", "may widen sysctl ping_group_range", "", "ICMP echo checker", "check" => Keyword, Accepted;
        "UDP_CHECK", "{ block }", Value::Block, "", "", "", "UDP datagram checker", "check" => Keyword, Accepted;
        "HTTP_GET", "{ block }", Value::Block, "", "needs at least one url", "", "HTTP checker", "check" => Keyword, Accepted;
        "SSL_GET", "{ block }", Value::Block, "", "needs at least one url", "", "HTTPS checker", "ssl" => Keyword, Accepted;
        "DNS_CHECK", "{ block }", Value::Block, "", "", "", "DNS over UDP checker", "check" => Keyword, Accepted;
        "FILE_CHECK", "{ block }", Value::Block, "", "no common checker keywords", "", "Track file based checker", "check" => Keyword, Accepted;
        "BFD_CHECK", "{ block }", Value::Block, "", "no common checker keywords except alpha", "", "BFD session checker", "bfd" => Keyword, Accepted;
    }
    in "virtual_server_group" => {
        "ADDR [PORT]", "IP [PORT]", Value::Words, "no port", "", "", "One address", "lvs" => LineOption, Accepted;
        "ADDR-N [PORT]", "IPv4 last octet / IPv6 last 16 bits", Value::Words, "", "N > start", "", "Range on last part", "lvs" => LineOption, Accepted;
        "ADDR-ADDR [PORT]", "two IPs", Value::Words, "", "end >= start", "", "Full range", "lvs" => LineOption, Accepted;
        "ADDR/LEN [PORT]", "prefix", Value::Words, "", "host bits zero", "", "All addresses of a prefix", "lvs" => LineOption, Accepted;
        "fwmark", "N [inet/inet6]", Value::Words, "no family", "0..UINT32_MAX", "", "Firewall mark", "lvs" => LineOption, Accepted;
    }
}
