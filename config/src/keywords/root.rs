//! What stands at the top level, directives, and small blocks. One row per keyword; see `Keyword` for the columns.

use super::value::{Value, int, seconds};
use super::{Keyword, Table, rows};

rows! {
    in "(root)" => {
        "linkbeat_use_polling", "none", Value::None, "off (netlink)", "", "parent process only", "Poll link state of every VRRP interface via MII/ETHTOOL/ioctl instead of trusting netlink", "core" => Keyword, Accepted;
        "net_namespace", "NAME", Value::Text, "none", "not changeable on reload", "", "Run in named network namespace; creates private mount ns and turns on use_pid_dir", "core" => Keyword, Effective, missing Error, shown "settings::it_can_run_in_a_network_namespace";
        "net_namespace_ipvs", "[NAME]", Value::Text, "same ns as daemon", "empty = default ns; not changeable on reload", "", "Program IPVS in another network namespace while checks stay in the main one", "lvs" => Keyword, Accepted;
        "namespace_with_ipsets", "none", Value::None, "off", "", "", "Allow ipsets inside a namespace on kernels older than 3.13", "nftables" => Keyword, Accepted;
        "use_pid_dir", "none", Value::None, "off", "", "", "Put pid files in RUNSTATEDIR/keepalived/ instead of RUNSTATEDIR/", "core" => Keyword, Effective, shown "pid_files::the_configuration_decides_where_they_are";
        "instance", "NAME", Value::Text, "none", "not changeable on reload", "", "Instance name appended to pid files, syslog ident, log file; turns on use_pid_dir", "core" => Keyword, Effective, missing Error, shown "pid_files::the_configuration_decides_where_they_are";
        "child_wait_time", "SECS (uint)", int(0, 4_294_967_295), "5", "", "", "Seconds parent waits for children to exit at shutdown before SIGKILL", "process" => Keyword, Effective, shown "settings::a_process_that_does_not_stop_is_waited_for_as_long_as_configured";
        "global_defs", "{ block }", Value::Block, "", "", "", "Container for global definitions; may appear several times", "core" => Keyword, Effective, shown "globals::root_keywords";
        "track_group", "NAME { block }", Value::Block, "", "unique name, exactly one word", "", "Group of VRRP instances that track static addresses, routes, rules", "script-track" => Keyword, Accepted, details "Static addresses, routes and rules name it with `track_group`; their deletion then concerns its instances.";
        "static_ipaddress", "{ address lines }", Value::Lines("<address line>"), "", "see virtual_ipaddress lines; default dev default_interface", "", "Addresses added at start, not moved by VRRP", "route-rule" => Keyword, Accepted;
        "static_routes", "{ route lines }", Value::Lines("<route line>"), "", "see virtual_routes lines", "", "Routes added at start, not moved by VRRP", "route-rule" => Keyword, Accepted;
        "static_rules", "{ rule lines }", Value::Lines("<rule line>"), "", "see virtual_rules lines", "", "Policy rules added at start, not moved by VRRP", "route-rule" => Keyword, Accepted;
        "vrrp_sync_group", "NAME { block }", Value::Block, "", "unique name, exactly one word", "", "Instances that change state together", "vrrp" => Keyword, Effective, shown "engine::a_group_becomes_master_together_and_leaves_together";
        "garp_group", "{ block }", Value::Block, "", "needs garp_interval or gna_interval; no interface at all is not reported", "", "GARP/NA pacing for one or more interfaces", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance";
        "linkbeat_interfaces", "{ IF [MII/ETHTOOL/IOCTL] }", Value::Lines(""), "", "interface must exist (fatal, -t exit 4)", "", "Interfaces whose link state is polled", "core" => Keyword, Accepted;
        "vrrp_instance", "NAME { block }", Value::Block, "", "unique name, exactly one word", "", "A VRRP virtual router", "vrrp" => Keyword, Effective, shown "engine::a_master_advertises_then_holds_then_announces";
        "vrrp_script", "NAME { block }", Value::Block, "", "", "", "Periodic health script", "script-track" => Keyword, Accepted;
        "vrrp_track_process", "NAME { block }", Value::Block, "", "needs CONFIG_PROC_EVENTS", "", "Monitored process definition", "script-track" => Keyword, Accepted;
        "interface_up_down_delays", "{ IF DOWN [UP] }", Value::Lines(""), "", "0..255 s decimal; DOWN limited by advert timers; UP defaults to 0 (man page: same as DOWN); IF alone accepted; unknown interface: -t exit 4", "", "Debounce interface state changes", "core" => Keyword, Accepted, details "A delay must be shorter than the time in which a silent master is noticed, or the debounce comes too late.";
        "SSL", "{ block }", Value::Block, "auto generated context", "second block replaces first with error", "", "Client certificate and CA for SSL_GET", "ssl" => Keyword, Accepted;
        "virtual_server_group", "NAME { IP/range/fwmark lines }", Value::Lines("virtual_server_group"), "", "at least one entry", "", "Set of addresses, ranges or fwmarks sharing real servers", "lvs" => Keyword, Accepted;
        "virtual_server", "IP [PORT] / fwmark N / group NAME { block }", Value::Block, "", "port 0 treated as none; fwmark 1..UINT32_MAX (0 counts as no address: error); unknown group passes -t, at start the server is ignored with a log; needs real servers", "", "An IPVS virtual service", "lvs" => Keyword, Accepted;
        "bfd_instance", "NAME { block }", Value::Block, "", "name max 31 chars, unique; missing name crashes upstream", "", "A BFD session", "bfd" => Keyword, Accepted;
        "track_file", "NAME { block }", Value::Block, "", "", "", "File whose number adjusts priority or weight", "script-track" => Keyword, Accepted;
        "vrrp_track_file", "NAME { block }", Value::Block, "", "", "deprecated synonym of track_file (after 2.0.20); no message under -t", "As track_file", "script-track" => Keyword, Deprecated("track_file", Silent, Accepted);
    }
    in "track_group" => {
        "group", "{ instance names }", Value::Lines(""), "required", "given once; unknown instance names not reported", "", "Members of static track group", "script-track" => Keyword, Accepted;
    }
    in "garp_group" => {
        "garp_interval", "SECS (decimal)", seconds(0, 4_294_967_295), "none", "", "", "Gap between GARPs in this group", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance";
        "gna_interval", "SECS (decimal)", seconds(0, 4_294_967_295), "none", "", "", "Gap between unsolicited NAs in this group", "vrrp" => Keyword, Effective, shown "engine::the_distance_of_a_group_is_for_neighbour_advertisements_too";
        "interface", "IFNAME", Value::Interface, "none", "not a VMAC; one group per interface", "", "Single interface the limits apply to", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance";
        "interfaces", "{ IFNAMEs }", Value::Lines(""), "none", "not VMACs", "", "Interfaces sharing one limit", "vrrp" => Keyword, Effective, shown "engine::interfaces_of_a_group_share_its_distance";
    }
    in "SSL" => {
        "password", "STRING", Value::Text, "none", "", "", "Key passphrase", "ssl" => Keyword, Accepted, missing Error;
        "ca", "FILE", Value::Text, "none", "", "", "CA file for SSL_CTX_load_verify_locations", "ssl" => Keyword, Accepted, missing Error;
        "certificate", "FILE", Value::Text, "none", "", "", "PEM certificate chain", "ssl" => Keyword, Accepted, missing Error;
        "key", "FILE", Value::Text, "none", "", "", "PEM private key", "ssl" => Keyword, Accepted, missing Error;
    }
    in "track_file" => {
        "file", "PATH", Value::Text, "required", "directory must exist and be monitorable by inotify", "", "File to monitor", "script-track" => Keyword, Accepted, missing Error;
        "weight", "N [reverse]", int(-254, 254), "1", "-254..254 (man page says 32 bit)", "", "Multiplier of file value; 0 = fault when non-zero", "script-track" => Keyword, Accepted, missing Error, details "Multiplied with the number in the file and added to the priority; 0 means FAULT while the number is not 0.";
        "init_file", "[VALUE] [overwrite]", Value::Words, "off; 0", "INT; error note outside -254..254", "", "Create or overwrite file at startup", "script-track" => Keyword, Accepted;
    }
    in "vrrp_track_file" => {
        "file", "PATH", Value::Text, "required", "", "", "As track_file file", "script-track" => Keyword, Accepted, missing Error;
        "weight", "N [reverse]", int(-254, 254), "1", "-254..254", "", "As track_file weight", "script-track" => Keyword, Accepted, missing Error;
        "init_file", "[VALUE] [overwrite]", Value::Words, "off", "", "", "As track_file init_file", "script-track" => Keyword, Accepted;
    }
    in "(any level)" => {
        "include", "GLOB", Value::Words, "no errors", "brace and wildcard globs", "", "Insert files; failures only logged unless include_check", "core" => Directive, Effective, shown "text::section_12_includes";
        "includer", "GLOB", Value::Words, "", "", "", "Include; error if not a readable regular non-executable file", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includem", "GLOB", Value::Words, "", "needs GLOB_ALTDIRFUNC", "", "Include; also error if nothing matches a plain name", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includew", "GLOB", Value::Words, "", "", "", "Include; also error if a wildcard matches nothing", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includeb", "GLOB", Value::Words, "", "needs GLOB_ALTDIRFUNC", "", "Include; error if any brace alternative is missing", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "includea", "GLOB", Value::Words, "", "", "", "Include with all checks", "core" => Directive, Effective, shown "language::what_an_include_demands";
        "@ID", "rest of line", Value::Words, "", "whole word equal to config id", "", "Line kept only if config id matches", "core" => Directive, Effective, shown "text::section_9_conditions";
        "@^ID", "rest of line", Value::Words, "", "", "", "Line kept only if config id differs", "core" => Directive, Effective, shown "text::section_9_conditions";
        "$NAME=", "VALUE or multi-line with trailing backslash", Value::Words, "", "[A-Za-z_][A-Za-z0-9_]*", "", "Define a parameter", "core" => Directive, Effective, shown "text::section_10_definitions";
        "~SEQ", "(VAR, [START, [STEP,]] END) TEXT", Value::Words, "", "", "", "Repeat line over a decimal sequence", "core" => Directive, Effective, shown "text::section_11_numbers";
        "~SEQx", "(VAR, [START, [STEP,]] END) TEXT", Value::Words, "", "non-negative", "", "Repeat line over a hexadecimal sequence", "core" => Directive, Effective, shown "text::section_11_numbers";
        "~LST", "(VAR or {VARS}, VALUE or {VALUES}, ...) TEXT", Value::Words, "", "", "", "Repeat line over listed values", "core" => Directive, Effective, shown "text::section_11_lists";
    }
}
