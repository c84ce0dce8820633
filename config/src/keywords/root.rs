//! What stands at the top level, directives, and small blocks. One row per keyword; see `Keyword` for the columns.

use super::value::{Value, int, seconds};
use super::{Keyword, Table, rows};

rows! {
    in "(root)" => {
        "linkbeat_use_polling", "none", Value::None, "off (netlink)", "", "", "Poll the link state of every interface with VRRP instead of trusting what the kernel tells", "core" => Keyword, Accepted, details "For drivers that do not tell the kernel when the cable is pulled; rare today.";
        "net_namespace", "NAME", Value::Text, "none", "cannot change at a reload", "", "Run in this network namespace; turns on use_pid_dir", "core" => Keyword, Effective, twice First, missing Error, shown "settings::it_can_run_in_a_network_namespace", details "As `ip netns add` names it. Several daemons on one machine each get a namespace of their own, and pid files that do not collide.";
        "net_namespace_ipvs", "[NAME]", Value::Text, "that of the daemon", "no name is the namespace that the daemon was started in; cannot change at a reload", "", "Set up IPVS in another network namespace, while checks are made from net_namespace", "lvs" => Keyword, Effective, twice First, shown "balancing::the_table_may_be_that_of_another_namespace";
        "namespace_with_ipsets", "none", Value::None, "off", "", "", "Allow ipsets inside a namespace on kernels older than 3.13", "nftables" => Keyword, Accepted;
        "use_pid_dir", "none", Value::None, "off", "", "", "Keep pid files in /run/keepalived/ instead of /run/", "core" => Keyword, Effective, shown "pid_files::the_configuration_decides_where_they_are";
        "instance", "NAME", Value::Text, "none", "cannot change at a reload", "", "A name for this daemon, part of the names of its pid files and log file; turns on use_pid_dir", "core" => Keyword, Effective, twice First, missing Error, shown "pid_files::the_configuration_decides_where_they_are", details "For several daemons on one machine that share a namespace: without it the second one says that it runs already.";
        "child_wait_time", "WHOLE_SECONDS", int(0, 4_294_967_295), "5", "", "", "How long processes may take to stop before they are killed", "process" => Keyword, Effective, shown "settings::a_process_that_does_not_stop_is_waited_for_as_long_as_configured", details "Raise it if removing thousands of addresses takes longer: what a killed process had not removed yet stays on the interface.";
        "global_defs", "{ block }", Value::Block, "", "", "", "Definitions for the whole daemon; may stand several times", "core" => Keyword, Effective, shown "globals::root_keywords";
        "track_group", "NAME { block }", Value::Block, "", "the name is one word, given once", "", "A group of instances that track static addresses, routes and rules", "script-track" => Keyword, Effective, shown "engine::what_is_static_may_track_a_group", details "Static addresses, routes and rules name it with `track_group`. Its instances are in FAULT while the interface of such a line is down; what others delete is put back.";
        "static_ipaddress", "{ address lines }", Value::Lines("<address line>"), "", "lines as in virtual_ipaddress; without dev they go on default_interface", "", "Addresses that are set at start and stay, whoever is master", "route-rule" => Keyword, Effective, shown "engine::what_is_static_is_there_whoever_is_master";
        "static_routes", "{ route lines }", Value::Lines("<route line>"), "", "lines as in virtual_routes", "", "Routes that are set at start and stay, whoever is master", "route-rule" => Keyword, Effective, shown "engine::what_is_static_is_there_whoever_is_master";
        "static_rules", "{ rule lines }", Value::Lines("<rule line>"), "", "lines as in virtual_rules", "", "Policy rules that are set at start and stay, whoever is master", "route-rule" => Keyword, Effective, shown "engine::what_is_static_is_there_whoever_is_master";
        "vrrp_sync_group", "NAME { block }", Value::Block, "", "the name is one word, given once", "", "Instances that change state together", "vrrp" => Keyword, Effective, shown "engine::a_group_becomes_master_together_and_leaves_together", details "For a firewall or a router with an address on each side: if one interface fails, traffic must not come in through one machine and go out through the other. Each member should have the same members on the other router.";
        "garp_group", "{ block }", Value::Block, "", "needs garp_interval or gna_interval, and interfaces", "", "A pace for the announcements on one or more interfaces", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance", details "For a switch that learns slowly or drops bursts. The interfaces of a group share one queue.";
        "linkbeat_interfaces", "{ IF [MII/ETHTOOL/IOCTL] }", Value::Lines(""), "", "each interface must exist", "", "Interfaces whose link state is polled, and how", "core" => Keyword, Accepted;
        "vrrp_instance", "NAME { block }", Value::Block, "", "the name is one word, given once", "", "A virtual router: addresses that one of several machines has at a time", "vrrp" => Keyword, Effective, shown "engine::a_master_advertises_then_holds_then_announces", details "It needs an interface, a virtual_router_id and addresses; the other routers need the same three.";
        "vrrp_script", "NAME { block }", Value::Block, "", "", "", "A command that is run again and again to say whether something works", "script-track" => Keyword, Effective, shown "trackers::a_script_that_fails_gives_the_address_to_the_other_router", details "It counts where an instance or a group names it in track_script; one that nobody names is not run.";
        "vrrp_track_process", "NAME { block }", Value::Block, "", "", "", "A process that has to be there", "script-track" => Keyword, Effective, shown "trackers::a_process_that_dies_is_noticed_at_once_and_one_that_comes_soon", details "Cheaper and quicker than a script that looks for it: the kernel tells when a process starts or ends. It does not tell inside another network namespace.";
        "interface_up_down_delays", "{ IF DOWN [UP] }", Value::Lines(""), "", "0 to 255 seconds, decimals allowed; UP is 0 if it is left out; the interface must exist", "", "How long an interface must be down, or up, before that counts", "core" => Keyword, Effective, shown "engine::an_interface_that_comes_and_goes_counts_once_it_has_lasted", details "A delay must be shorter than the time in which a silent master is noticed, or the debounce comes too late.";
        "SSL", "{ block }", Value::Block, "no client certificate", "once", "", "Certificates for checks over TLS", "ssl" => Keyword, Effective, shown "dialogues::a_certificate_is_shown_if_there_is_one", details "The certificate that checks show to servers. Those of the servers are verified with tls_verify only.";
        "virtual_server_group", "NAME { IP/range/fwmark lines }", Value::Lines("virtual_server_group"), "", "at least one entry", "", "Addresses, ranges or firewall marks that share real servers", "lvs" => Keyword, Effective, shown "checker::a_group_stands_for_its_addresses";
        "virtual_server", "IP [PORT] / fwmark N / group NAME { block }", Value::Block, "", "port 0 or none means every port; fwmark 1 to 4294967295; the group must exist; needs real servers", "", "A service that IPVS balances", "lvs" => Keyword, Effective, shown "checker::servers_that_answer_are_in_the_table";
        "bfd_instance", "NAME { block }", Value::Block, "", "the name has at most 31 characters and is given once", "", "A BFD session with a neighbour", "bfd" => Keyword, Effective, shown "bfd::a_session_with_each_peer_comes_up_and_goes_down_with_the_path";
        "track_file", "NAME { block }", Value::Block, "", "", "", "A file whose number adjusts a priority or a weight", "script-track" => Keyword, Effective, shown "checker::a_number_in_a_file_adds_to_the_weight", details "The simplest way to steer from outside: `echo 0 > FILE` or `echo -50 > FILE`, without a reload.";
        "vrrp_track_file", "NAME { block }", Value::Block, "", "", "", "As track_file", "script-track" => Keyword, Deprecated("track_file", Silent, Effective), shown "checker::a_number_in_a_file_adds_to_the_weight";
    }
    in "track_group" => {
        "group", "{ instance names }", Value::Lines(""), "required", "once", "", "Instances that track what names this group", "script-track" => Keyword, Effective, twice First, shown "engine::what_is_static_may_track_a_group";
    }
    in "garp_group" => {
        "garp_interval", "SECONDS", seconds(0, 4_294_967_295), "none", "", "", "Seconds from one gratuitous ARP to the next", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance";
        "gna_interval", "SECONDS", seconds(0, 4_294_967_295), "none", "", "", "Seconds from one unsolicited neighbour advertisement to the next", "vrrp" => Keyword, Effective, shown "engine::the_distance_of_a_group_is_for_neighbour_advertisements_too";
        "interface", "IFNAME", Value::Interface, "none", "no virtual MAC; an interface is in one group", "", "The interface that it is for", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance";
        "interfaces", "{ IFNAMEs }", Value::Lines(""), "none", "no virtual MACs", "", "Interfaces that share one queue", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance";
    }
    in "SSL" => {
        "password", "STRING", Value::Text, "none", "", "", "Password of the private key", "ssl" => Keyword, Effective, twice Last, missing Error, shown "dialogues::a_certificate_is_shown_if_there_is_one";
        "ca", "FILE", Value::Text, "none", "", "", "File with certificates of authorities, PEM, for tls_verify", "ssl" => Keyword, Effective, twice Last, missing Error, shown "dialogues::authorities_are_asked_if_that_is_wanted", details "keepalived reads it, and verifies nothing. Without it, tls_verify goes by the authorities that this system trusts.";
        "certificate", "FILE", Value::Text, "none", "", "", "File with the certificate and those that signed it, PEM", "ssl" => Keyword, Effective, twice Last, missing Error, shown "dialogues::a_certificate_is_shown_if_there_is_one";
        "key", "FILE", Value::Text, "none", "", "", "File with the private key, PEM", "ssl" => Keyword, Effective, twice Last, missing Error, shown "dialogues::a_certificate_is_shown_if_there_is_one";
        "tls_verify", "[BOOL]", Value::Switch, "off", "", "", "What holds for checks that do not say it (not a keyword of keepalived)", "ours" => Keyword, Effective, shown "dialogues::authorities_are_asked_if_that_is_wanted";
    }
    in "track_file" => {
        "file", "PATH", Value::Text, "required", "its directory must exist", "", "The file", "script-track" => Keyword, Effective, twice First, missing Error, shown "checker::a_number_in_a_file_adds_to_the_weight";
        "weight", "N [reverse]", int(-254, 254), "1", "", "", "What the number in the file is multiplied with", "script-track" => Keyword, Effective, twice First, missing Error, shown "checker::a_number_in_a_file_adds_to_the_weight", details "The product is added to the priority; 0 means FAULT while the number is not 0.";
        "init_file", "[VALUE] [overwrite]", Value::Words, "left as it is", "", "", "Create the file at start, with VALUE or 0; with overwrite even if it is there", "script-track" => Keyword, Effective, shown "trackers::a_file_begins_with_the_number_that_is_configured", details "The file then belongs to the daemon's user. A reload writes no file.";
    }
    in "vrrp_track_file" => {
        "file", "PATH", Value::Text, "required", "", "", "As track_file file", "script-track" => Keyword, Effective, twice First, missing Error, shown "checker::a_number_in_a_file_adds_to_the_weight";
        "weight", "N [reverse]", int(-254, 254), "1", "", "", "As track_file weight", "script-track" => Keyword, Effective, twice First, missing Error, shown "checker::a_number_in_a_file_adds_to_the_weight";
        "init_file", "[VALUE] [overwrite]", Value::Words, "off", "", "", "As track_file init_file", "script-track" => Keyword, Effective, shown "trackers::a_file_begins_with_the_number_that_is_configured";
    }
    in "(any level)" => {
        "include", "GLOB", Value::Words, "", "", "", "Read other files here; one that cannot be read is only logged, unless include_check says otherwise", "core" => Directive, Effective, shown "text::section_12_includes", details "Blanks separate nothing: the rest of the line is one pattern with `*`, `?`, `[...]` and `{a,b}`, relative to the file it stands in.";
        "includer", "GLOB", Value::Words, "", "", "", "include; a file that cannot be read is an error", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includem", "GLOB", Value::Words, "", "", "", "include; a file that cannot be read or is not there is an error", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includew", "GLOB", Value::Words, "", "", "", "include; a pattern that matches nothing is an error, too", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includeb", "GLOB", Value::Words, "", "", "", "include; an alternative in braces that is not there is an error, too", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includea", "GLOB", Value::Words, "", "", "", "include, with all of these checks", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "@ID", "rest of line", Value::Words, "", "", "", "The rest of the line counts if the configuration id is ID", "core" => Directive, Effective, shown "text::section_9_conditions";
        "@^ID", "rest of line", Value::Words, "", "", "", "The rest of the line counts unless the configuration id is ID", "core" => Directive, Effective, shown "text::section_9_conditions";
        "$NAME=", "VALUE or multi-line with trailing backslash", Value::Words, "", "", "", "Define NAME", "core" => Directive, Effective, shown "text::section_10_definitions";
        "~SEQ", "(VAR, [START, [STEP,]] END) TEXT", Value::Words, "", "", "", "Repeat the rest of the line for each number of a sequence", "core" => Directive, Effective, shown "text::section_11_numbers";
        "~SEQx", "(VAR, [START, [STEP,]] END) TEXT", Value::Words, "", "", "", "Repeat it for each number, written in hexadecimal", "core" => Directive, Effective, shown "text::section_11_numbers";
        "~LST", "(VAR or {VARS}, VALUE or {VALUES}, ...) TEXT", Value::Words, "", "", "", "Repeat it for each value of a list", "core" => Directive, Effective, shown "text::section_11_lists";
    }
}
