//! What stands at the top level, directives, and small blocks. One row per keyword; see `Keyword` for the columns.

use super::{Keyword, rows};

rows! {
    in "(root)" {
        "linkbeat_use_polling", "none", "off (netlink)", "", "parent process only", "Poll link state of every VRRP interface via MII/ETHTOOL/ioctl instead of trusting netlink", "core" => Keyword, Accepted;
        "net_namespace", "NAME", "none", "not changeable on reload", "", "Run in named network namespace; creates private mount ns and turns on use_pid_dir", "core" => Keyword, Effective, missing Error;
        "net_namespace_ipvs", "[NAME]", "same ns as daemon", "empty = default ns; not changeable on reload", "", "Program IPVS in another network namespace while checks stay in the main one", "lvs" => Keyword, Accepted;
        "namespace_with_ipsets", "none", "off", "", "", "Allow ipsets inside a namespace on kernels older than 3.13", "nftables" => Keyword, Accepted;
        "use_pid_dir", "none", "off", "", "", "Put pid files in RUNSTATEDIR/keepalived/ instead of RUNSTATEDIR/", "core" => Keyword, Effective;
        "instance", "NAME", "none", "not changeable on reload", "", "Instance name appended to pid files, syslog ident, log file; turns on use_pid_dir", "core" => Keyword, Effective, missing Error;
        "child_wait_time", "SECS (uint)", "5", "0..UINT_MAX", "", "Seconds parent waits for children to exit at shutdown before SIGKILL", "process" => Keyword, Effective;
        "global_defs", "{ block }", "", "", "", "Container for global definitions; may appear several times", "core" => Keyword, Effective;
        "track_group", "NAME { block }", "", "unique name, exactly one word", "", "Group of VRRP instances that track static addresses, routes, rules", "script-track" => Keyword, Accepted;
        "static_ipaddress", "{ address lines }", "", "see virtual_ipaddress lines; default dev default_interface", "", "Addresses added at start, not moved by VRRP", "route-rule" => Keyword, Accepted;
        "static_routes", "{ route lines }", "", "see virtual_routes lines", "", "Routes added at start, not moved by VRRP", "route-rule" => Keyword, Accepted;
        "static_rules", "{ rule lines }", "", "see virtual_rules lines", "", "Policy rules added at start, not moved by VRRP", "route-rule" => Keyword, Accepted;
        "vrrp_sync_group", "NAME { block }", "", "unique name, exactly one word", "", "Instances that change state together", "vrrp" => Keyword, Effective;
        "garp_group", "{ block }", "", "needs garp_interval or gna_interval; no interface at all is not reported", "", "GARP/NA pacing for one or more interfaces", "vrrp" => Keyword, Effective;
        "linkbeat_interfaces", "{ IF [MII/ETHTOOL/IOCTL] }", "", "interface must exist (fatal, -t exit 4)", "", "Interfaces whose link state is polled", "core" => Keyword, Accepted;
        "vrrp_instance", "NAME { block }", "", "unique name, exactly one word", "", "A VRRP virtual router", "vrrp" => Keyword, Effective;
        "vrrp_script", "NAME { block }", "", "", "", "Periodic health script", "script-track" => Keyword, Accepted;
        "vrrp_track_process", "NAME { block }", "", "needs CONFIG_PROC_EVENTS", "", "Monitored process definition", "script-track" => Keyword, Accepted;
        "interface_up_down_delays", "{ IF DOWN [UP] }", "", "0..255 s decimal; DOWN limited by advert timers; UP defaults to 0 (man page: same as DOWN); IF alone accepted; unknown interface: -t exit 4", "", "Debounce interface state changes", "core" => Keyword, Accepted;
        "SSL", "{ block }", "auto generated context", "second block replaces first with error", "", "Client certificate and CA for SSL_GET", "ssl" => Keyword, Accepted;
        "virtual_server_group", "NAME { IP/range/fwmark lines }", "", "at least one entry", "", "Set of addresses, ranges or fwmarks sharing real servers", "lvs" => Keyword, Accepted;
        "virtual_server", "IP [PORT] / fwmark N / group NAME { block }", "", "port 0 treated as none; fwmark 1..UINT32_MAX (0 counts as no address: error); unknown group passes -t, at start the server is ignored with a log; needs real servers", "", "An IPVS virtual service", "lvs" => Keyword, Accepted;
        "bfd_instance", "NAME { block }", "", "name max 31 chars, unique; missing name crashes upstream", "", "A BFD session", "bfd" => Keyword, Accepted;
        "track_file", "NAME { block }", "", "", "", "File whose number adjusts priority or weight", "script-track" => Keyword, Accepted;
        "vrrp_track_file", "NAME { block }", "", "", "deprecated synonym of track_file (after 2.0.20); no message under -t", "As track_file", "script-track" => Keyword, Deprecated("track_file", Silent, Accepted);
    }
    in "track_group" {
        "group", "{ instance names }", "required", "given once; unknown instance names not reported", "", "Members of static track group", "script-track" => Keyword, Accepted;
    }
    in "garp_group" {
        "garp_interval", "SECS (decimal)", "none", "0..4294.967295", "", "Gap between GARPs in this group", "vrrp" => Keyword, Effective;
        "gna_interval", "SECS (decimal)", "none", "0..4294.967295", "", "Gap between unsolicited NAs in this group", "vrrp" => Keyword, Effective;
        "interface", "IFNAME", "none", "not a VMAC; one group per interface", "", "Single interface the limits apply to", "vrrp" => Keyword, Effective;
        "interfaces", "{ IFNAMEs }", "none", "not VMACs", "", "Interfaces sharing one limit", "vrrp" => Keyword, Effective;
    }
    in "SSL" {
        "password", "STRING", "none", "", "", "Key passphrase", "ssl" => Keyword, Accepted, missing Error;
        "ca", "FILE", "none", "", "", "CA file for SSL_CTX_load_verify_locations", "ssl" => Keyword, Accepted, missing Error;
        "certificate", "FILE", "none", "", "", "PEM certificate chain", "ssl" => Keyword, Accepted, missing Error;
        "key", "FILE", "none", "", "", "PEM private key", "ssl" => Keyword, Accepted, missing Error;
    }
    in "track_file" {
        "file", "PATH", "required", "directory must exist and be monitorable by inotify", "", "File to monitor", "script-track" => Keyword, Accepted, missing Error;
        "weight", "N [reverse]", "1", "-254..254 (man page says 32 bit)", "", "Multiplier of file value; 0 = fault when non-zero", "script-track" => Keyword, Accepted, missing Error;
        "init_file", "[VALUE] [overwrite]", "off; 0", "INT; error note outside -254..254", "", "Create or overwrite file at startup", "script-track" => Keyword, Accepted;
    }
    in "vrrp_track_file" {
        "file", "PATH", "required", "", "", "As track_file file", "script-track" => Keyword, Accepted, missing Error;
        "weight", "N [reverse]", "1", "-254..254", "", "As track_file weight", "script-track" => Keyword, Accepted, missing Error;
        "init_file", "[VALUE] [overwrite]", "off", "", "", "As track_file init_file", "script-track" => Keyword, Accepted;
    }
    in "(any level)" {
        "include", "GLOB", "no errors", "brace and wildcard globs", "", "Insert files; failures only logged unless include_check", "core" => Directive, Effective;
        "includer", "GLOB", "", "", "", "Include; error if not a readable regular non-executable file", "core" => Directive, Effective;
        "includem", "GLOB", "", "needs GLOB_ALTDIRFUNC", "", "Include; also error if nothing matches a plain name", "core" => Directive, Effective;
        "includew", "GLOB", "", "", "", "Include; also error if a wildcard matches nothing", "core" => Directive, Effective;
        "includeb", "GLOB", "", "needs GLOB_ALTDIRFUNC", "", "Include; error if any brace alternative is missing", "core" => Directive, Effective;
        "includea", "GLOB", "", "", "", "Include with all checks", "core" => Directive, Effective;
        "@ID", "rest of line", "", "whole word equal to config id", "", "Line kept only if config id matches", "core" => Directive, Effective;
        "@^ID", "rest of line", "", "", "", "Line kept only if config id differs", "core" => Directive, Effective;
        "$NAME=", "VALUE or multi-line with trailing backslash", "", "[A-Za-z_][A-Za-z0-9_]*", "", "Define a parameter", "core" => Directive, Effective;
        "~SEQ", "(VAR, [START, [STEP,]] END) TEXT", "", "", "", "Repeat line over a decimal sequence", "core" => Directive, Accepted;
        "~SEQx", "(VAR, [START, [STEP,]] END) TEXT", "", "non-negative", "", "Repeat line over a hexadecimal sequence", "core" => Directive, Accepted;
        "~LST", "(VAR or {VARS}, VALUE or {VALUES}, ...) TEXT", "", "", "", "Repeat line over listed values", "core" => Directive, Accepted;
    }
}
