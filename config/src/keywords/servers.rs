//! `virtual_server`, `real_server` and groups. One row per keyword; see `Keyword` for the columns.

use super::value::{LONGEST, Value, int, seconds};
use super::{Keyword, Table, rows};
use crate::model::Scheduler;

rows! {
    in "virtual_server" => {
        "nat_mask", "NETMASK", Value::Address, "", "", "in keepalived before 1.0", "Netmask of a NAT service", "ours" => Keyword, Obsolete("remove it: the kernel takes no netmask for a service; persistence_granularity groups clients by network"), shown "language::an_obsolete_word_gets_advice";
        "net_mask", "NETMASK", Value::Address, "", "", "in keepalived before 1.0", "Netmask of a NAT service", "ours" => Keyword, Obsolete("remove it: the kernel takes no netmask for a service; persistence_granularity groups clients by network"), shown "language::an_obsolete_word_gets_advice";
        "ip_family", "inet or inet6", Value::Choice(&["inet", "inet6"]), "that of the addresses, else inet", "must agree with the addresses", "", "Family of a service by firewall mark", "lvs" => Keyword, Effective, shown "checker::what_a_service_answers_for";
        "retry", "N", int(1, 4_294_967_295), "1 for most checks", "", "", "Failures that checks forgive a server, unless they say otherwise", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "delay_before_retry", "SECONDS", seconds(0, LONGEST), "1 for most checks", "", "", "Seconds before a failed check is made again", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "warmup", "SECONDS", seconds(0, LONGEST), "delay_loop", "0: all at once", "", "Seconds over which first checks are spread", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "connect_timeout", "SECONDS", seconds(1, 4_294_967_295), "5", "", "", "Seconds that a connection may take", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "delay_loop", "SECONDS", seconds(1, LONGEST), "60", "", "", "Seconds from one check to the next", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block", details "From the result of one check to the next. With `retry` and `connect_timeout` it decides how long a dead server stays in use.";
        "inhibit_on_failure", "none", Value::None, "off", "", "", "Give a failed server the weight 0 instead of removing it", "lvs" => Keyword, Effective, shown "checker::a_failed_server_may_stay_with_weight_0", details "Connections that exist go on to the failed server, and persistent clients stay with it; without, they are cut off.";
        "lb_algo", "NAME", Value::Choice(Scheduler::NAMES), "wlc, and that is reported", "", "another spelling of lvs_sched", "Scheduler", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients";
        "lvs_sched", "NAME", Value::Choice(Scheduler::NAMES), "wlc, and that is reported", "", "", "How a server is chosen (scheduler of IPVS)", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients", details "`wlc` suits most; `sh` and `mh` send a client to the same server without persistence, `mh` also while servers come and go.";
        "hashed", "none", Value::None, "off", "reported unless the scheduler is sh or mh", "", "Does nothing", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients";
        "ops", "none", Value::None, "off", "UDP or fwmark only", "", "One packet scheduling", "lvs" => Keyword, Effective, shown "checker::datagrams_may_be_scheduled_one_by_one", details "Each datagram is a connection of its own: for DNS and the like, where one client sends many requests from one port.";
        "flag-1", "none", Value::None, "off", "", "", "Scheduler flag 1", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients";
        "flag-2", "none", Value::None, "off", "", "", "Scheduler flag 2", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients";
        "flag-3", "none", Value::None, "off", "", "", "Scheduler flag 3", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients";
        "sh-port", "none", Value::None, "off", "after scheduler sh set", "", "sh: include port in hash", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients", details "Without it all connections of a client go to one server.";
        "sh-fallback", "none", Value::None, "off", "after scheduler sh set", "", "sh: fall back if server unavailable", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients";
        "mh-port", "none", Value::None, "off", "after scheduler mh set", "", "mh: include port in hash", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients";
        "mh-fallback", "none", Value::None, "off", "after scheduler mh set", "", "mh: fall back if server unavailable", "lvs" => Keyword, Effective, shown "checker::how_a_service_spreads_its_clients", details "Without it clients of a server with weight 0 are refused.";
        "lb_kind", "NAT, DR or TUN [type ipip/gue/gre] [port N] [nocsum/csum/remcsum]", Value::Words, "NAT, and that is reported", "in capitals; gue needs port; ipip without csum, gre without remcsum; nothing after NAT or DR", "another spelling of lvs_method", "How packets get to the server", "lvs" => Keyword, Effective, shown "checker::how_packets_reach_a_server";
        "lvs_method", "NAT, DR or TUN [type ipip/gue/gre] [port N] [nocsum/csum/remcsum]", Value::Words, "NAT, and that is reported", "in capitals; gue needs port; ipip without csum, gre without remcsum; nothing after NAT or DR", "", "How packets get to the server", "lvs" => Keyword, Effective, shown "checker::how_packets_reach_a_server", details "`NAT`: answers come back through this machine, ports may differ. `DR`: the server is on the same link, has the virtual address on a device that does not answer ARP, and answers directly. `TUN`: as `DR`, over routers, wrapped.";
        "persistence_engine", "NAME", Value::Text, "none", "at most 15 characters", "", "What tells clients apart; the kernel has sip", "lvs" => Keyword, Effective, shown "checker::clients_may_stay_with_their_server";
        "persistence_timeout", "[WHOLE_SECONDS]", int(1, 2_678_400), "0 (off); 360 if no value is given", "", "", "Seconds for which a client stays with its server", "lvs" => Keyword, Effective, shown "checker::clients_may_stay_with_their_server", details "A client that comes back within this time gets the same server. Behind a large NAT all clients are one.";
        "persistence_granularity", "IPv4 NETMASK or IPv6 PREFIX", Value::Words, "255.255.255.255 or 128", "IPv4: dotted, as 255.255.255.0; IPv6: 1 to 128; turns on persistence_timeout 360", "", "How much of an address makes a client", "lvs" => Keyword, Effective, shown "checker::clients_may_stay_with_their_server", details "Clients of one network count as one: `255.255.255.0` joins 256 addresses.";
        "protocol", "TCP, UDP or SCTP", Value::Choice(&["TCP", "UDP", "SCTP"]), "UDP, and that is reported", "in any case; not for a firewall mark", "", "Transport protocol", "lvs" => Keyword, Effective, shown "checker::what_a_service_answers_for", details "Without it the service is a UDP one, which is rarely meant.";
        "ha_suspend", "none", Value::None, "off", "not for firewall marks", "", "Check servers only while this machine has the address of the service", "check" => Keyword, Effective, shown "checker::checks_of_a_suspended_service_rest", details "Keeps a backup router from checking servers that it does not use.";
        "smtp_alert", "[BOOL]", Value::Switch, "smtp_alert_checker, else smtp_alert, else off", "", "", "Mail when the quorum is lost or regained", "smtp" => Keyword, Accepted;
        "virtualhost", "STRING", Value::Text, "none", "", "", "Host that HTTP checks ask for", "check" => Keyword, Effective, missing Error, shown "checker::a_page_is_asked_for_with_the_nearest_host";
        "snmp_name", "STRING", Value::Text, "none", "", "", "Its name in SNMP", "snmp" => Keyword, Accepted, missing Error;
        "alpha", "none", Value::None, "off", "", "", "Servers are down until a check succeeds", "lvs" => Keyword, Effective, shown "checker::servers_may_have_to_prove_themselves_first", details "A server is used only after its first success, so a start brings no failed requests.";
        "omega", "none", Value::None, "off", "", "", "Run quorum_down and notify_down at shutdown", "lvs" => Keyword, Effective, shown "checker::a_stop_may_count_as_going_down", details "Without it a stop runs no script.";
        "quorum_up", "SCRIPT [user [[:]group]]", Value::Command, "none", "", "", "Run when the quorum is reached", "script-track" => Keyword, Accepted, details "At every start, too: the start is the first time.";
        "quorum_down", "SCRIPT [user [[:]group]]", Value::Command, "none", "", "", "Run when the quorum is lost", "script-track" => Keyword, Accepted;
        "quorum", "N", int(1, 4_294_967_295), "1", "at most the sum of all weights", "", "Sum of weights that must be up", "lvs" => Keyword, Effective, shown "checker::the_quorum_decides_who_serves", details "The sum of the weights of servers that are up, not their number. Below it the sorry server takes over, and `quorum_down` runs.";
        "hysteresis", "N", int(0, 4_294_967_295), "0", "less than quorum", "", "How far the sum must pass the quorum", "lvs" => Keyword, Effective, shown "checker::the_quorum_decides_who_serves", details "Lost below quorum - hysteresis, regained at quorum + hysteresis.";
        "weight", "N", int(1, 2_147_483_647), "1", "", "", "Weight of servers that say none", "lvs" => Keyword, Effective, shown "checker::how_much_a_server_may_carry";
        "sorry_server", "IP [PORT]", Value::Words, "none", "", "", "Server for the time without a quorum", "lvs" => Keyword, Effective, shown "checker::the_sorry_server_takes_over", details "While it is in use no real server is.";
        "sorry_server_inhibit", "none", Value::None, "off", "after sorry_server", "", "Keep it with weight 0 when it is not in use", "lvs" => Keyword, Effective, shown "checker::the_sorry_server_takes_over", details "So that its connections end in peace.";
        "sorry_server_lvs_method", "as lvs_method", Value::Words, "that of the virtual server", "after sorry_server", "", "How packets get to it", "lvs" => Keyword, Effective, missing Error, shown "checker::the_sorry_server_takes_over";
        "real_server", "IP [PORT] { block }", Value::Block, "", "without a port that of the virtual server", "", "A real server", "lvs" => Keyword, Effective, shown "checker::servers_that_answer_are_in_the_table", details "The port counts with NAT; with DR and TUN packets keep theirs, and it is only checked.";
    }
    in "virtual_server/real_server" => {
        "weight", "N", int(0, 2_147_483_647), "that of the virtual server", "", "", "Its share of connections", "lvs" => Keyword, Effective, shown "checker::how_much_a_server_may_carry", details "With 0 it gets no new connections, those that exist go on: the way to take it out for maintenance.";
        "lvs_method", "as virtual_server lvs_method", Value::Words, "that of the virtual server", "", "", "How packets get to it", "lvs" => Keyword, Effective, shown "checker::how_packets_reach_a_server";
        "uthreshold", "N", int(0, 4_294_967_295), "0", "", "", "Most connections", "lvs" => Keyword, Effective, shown "checker::how_much_a_server_may_carry", details "Above so many connections it gets no new ones.";
        "lthreshold", "N", int(0, 4_294_967_295), "0", "", "", "Connections below which it gets new ones again", "lvs" => Keyword, Effective, shown "checker::how_much_a_server_may_carry", details "After `uthreshold` was reached, it gets new ones again below this; not more than `uthreshold`.";
        "inhibit_on_failure", "[BOOL]", Value::Switch, "that of the virtual server", "", "", "Give it the weight 0 instead of removing it when it fails", "lvs" => Keyword, Effective, shown "checker::a_failed_server_may_stay_with_weight_0";
        "notify_up", "SCRIPT [user [[:]group]]", Value::Command, "none", "", "", "Run when it comes up", "script-track" => Keyword, Accepted, details "Not at the start, unless rs_init_notifies says so.";
        "notify_down", "SCRIPT [user [[:]group]]", Value::Command, "none", "", "", "Run when it goes down", "script-track" => Keyword, Accepted;
        "alpha", "[BOOL]", Value::Switch, "that of the virtual server", "", "", "Down until a check succeeds", "lvs" => Keyword, Effective, shown "checker::servers_may_have_to_prove_themselves_first";
        "retry", "N", int(1, 4_294_967_295), "that of the virtual server", "", "", "Failures that its checks forgive", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "delay_before_retry", "SECONDS", seconds(0, LONGEST), "that of the virtual server", "", "", "Seconds before a failed check is made again", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "warmup", "SECONDS", seconds(0, LONGEST), "that of the virtual server", "", "", "Seconds over which first checks are spread", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "connect_timeout", "SECONDS", seconds(1, 4_294_967_295), "that of the virtual server", "", "", "Seconds that a connection may take", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "delay_loop", "SECONDS", seconds(1, LONGEST), "that of the virtual server", "", "", "Seconds from one check to the next", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "smtp_alert", "[BOOL]", Value::Switch, "smtp_alert_checker, else smtp_alert, else on", "", "", "Mail when it or one of its checks changes state", "smtp" => Keyword, Accepted;
        "virtualhost", "STRING", Value::Text, "that of the virtual server", "", "", "Host that HTTP checks ask for", "check" => Keyword, Effective, missing Error, shown "checker::a_page_is_asked_for_with_the_nearest_host";
        "snmp_name", "STRING", Value::Text, "none", "", "", "Its name in SNMP", "snmp" => Keyword, Accepted, missing Error;
        "MISC_CHECK", "{ block }", Value::Block, "", "", "", "Check with a command", "check" => Keyword, Effective, shown "checker::a_program_is_given_its_time_and_its_user";
        "SMTP_CHECK", "{ block }", Value::Block, "", "", "", "Check that a mail server answers", "check" => Keyword, Effective, shown "dialogues::a_server_greets_and_says_goodbye";
        "TCP_CHECK", "{ block }", Value::Block, "", "", "", "Check that a connection can be made", "check" => Keyword, Effective, shown "dialogues::it_connects";
        "PING_CHECK", "{ block }", Value::Block, "", "sets the sysctl ping_group_range if needed", "", "Check that it answers a ping", "check" => Keyword, Effective, shown "dialogues::loopback_answers_a_ping";
        "UDP_CHECK", "{ block }", Value::Block, "", "", "", "Check with a datagram", "check" => Keyword, Effective, shown "dialogues::a_datagram_is_not_refused";
        "HTTP_GET", "{ block }", Value::Block, "", "needs a url", "", "Check pages over HTTP", "check" => Keyword, Effective, shown "dialogues::the_status_is_judged";
        "SSL_GET", "{ block }", Value::Block, "", "needs a url", "", "Check pages over HTTPS", "ssl" => Keyword, Effective, shown "dialogues::both_versions_are_spoken_with_anyone";
        "DNS_CHECK", "{ block }", Value::Block, "", "", "", "Check that a name server answers, over UDP", "check" => Keyword, Effective, shown "dialogues::a_name_server_answers";
        "FILE_CHECK", "{ block }", Value::Block, "", "none of the common keywords", "", "Check by the number in a file", "check" => Keyword, Effective, shown "checker::a_number_in_a_file_adds_to_the_weight";
        "BFD_CHECK", "{ block }", Value::Block, "", "of the common keywords only alpha", "", "Check by a BFD session", "bfd" => Keyword, Accepted;
    }
    in "virtual_server_group" => {
        "ADDR [PORT]", "IP [PORT]", Value::Words, "no port", "", "", "One address", "lvs" => LineOption, Effective, shown "checker::a_group_stands_for_its_addresses";
        "ADDR-N [PORT]", "IPv4 last octet / IPv6 last 16 bits", Value::Words, "", "N > start", "", "Range on last part", "lvs" => LineOption, Effective, shown "checker::a_group_stands_for_its_addresses";
        "ADDR-ADDR [PORT]", "two IPs", Value::Words, "", "end >= start", "", "Full range", "lvs" => LineOption, Effective, shown "checker::a_group_stands_for_its_addresses";
        "ADDR/LEN [PORT]", "prefix", Value::Words, "", "host bits zero", "", "All addresses of a prefix", "lvs" => LineOption, Effective, shown "checker::a_group_stands_for_its_addresses";
        "fwmark", "N [inet/inet6]", Value::Words, "no family", "0..UINT32_MAX", "", "Firewall mark", "lvs" => LineOption, Effective, shown "checker::what_a_service_answers_for";
    }
}
