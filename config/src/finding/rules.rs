//! The table of rules: ids, severities, classes and the text of their pages.

use super::{Class, Severity};

/// A kind of finding.
#[derive(PartialEq, Eq, Debug)]
pub struct Rule {
    /// Stable: scripts may look for it.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What keepalived would call it.
    pub class: Class,
    /// Whether nothing can run with it.
    pub fatal: bool,
    /// What it means.
    pub meaning: &'static str,
    /// What keepalived does about it.
    pub keepalived: &'static str,
    /// A line or two that give it.
    pub example: &'static str,
    /// The way out.
    pub fix: &'static str,
}

macro_rules! rules {
    ($($name:ident $id:literal $severity:ident $class:ident $($fatal:ident)?, $meaning:literal, $keepalived:literal, $example:literal, $fix:literal;)*) => {
        pub(super) mod names {
            use super::{Class, Rule, Severity};
            $(
                #[doc = $meaning]
                pub static $name: Rule = Rule {
                    id: $id,
                    severity: Severity::$severity,
                    class: Class::$class,
                    fatal: rules!(@ $($fatal)?),
                    meaning: $meaning,
                    keepalived: $keepalived,
                    example: $example,
                    fix: $fix,
                };
            )*
        }
        /// Every rule, in the order of the manual.
        pub static ALL: &[&Rule] = &[$(&names::$name),*];
    };
    (@ fatal) => { true };
    (@) => { false };
}

rules! {
    // files
    FILE_MISSING "file-missing" Error FileNotFound fatal, "The configuration file cannot be read.", "Ends with 6 as a daemon; `-t` says 0, with `-e` 4. We say 4.", "keepalived -t -f /nowhere", "Name an existing regular file that is not executable.";
    MULTIPLE_FILES "multiple-files" Warning MultipleFiles, "The pattern given to `-f` matches several files.", "Reads them all; `-t` ends with 5.", "keepalived -f '/etc/keepalived/*.conf'", "Name one file and let it include the others.";
    INCLUDE_FAILED "include-failed" Error Security fatal, "An include failed, and its word (or `include_check`) makes that an error.", "Does not start; `-t` ends with 6.", "includea conf.d/missing.conf", "Create the file, or use plain `include` if it may be absent.";
    INCLUDE_SKIPPED "include-skipped" Info Fine, "An include found nothing to read, and plain `include` allows that.", "Logs it.", "include conf.d/missing.conf", "Use `includea` if the file has to be there.";
    INCLUDE_CYCLE "include-cycle" Error General, "A file includes itself, directly or through others.", "Runs out of descriptors.", "# in a.conf\ninclude a.conf", "Remove the include.";
    INCLUDE_LIMIT "include-limit" Error General fatal, "Includes are nested more than 32 deep, or bring more than 4096 files, 16384 names of files or 64 MiB; what is beyond is not read.", "Has no limit of its own.", "include next.conf", "Include fewer files.";
    INCLUDE_CHECK "include-check" Error General, "A word of `include_check` that is unknown, or a second one without `+` or `-`; it is ignored.", "The same.", "include_check match read", "Write `include_check match +wildcard_match`.";
    MORE_FINDINGS "more-findings" Warning Fine, "There is more to say than is kept: a thousand findings, and the first of each kind. The exit status considers all of them.", "Logs everything.", "(a file that is no configuration)", "Correct what is shown, and check again.";
    // text
    LINE_TOO_LONG "line-too-long" Error General, "A line has more than 65536 octets; it is left out.", "Drops the first 1023 octets of a line that has more than 1022, and reads the rest as a further line, even of a comment.", "# a comment of seventy thousand characters", "Break the line.";
    NUL_OCTET "nul-octet" Error General, "A line holds NUL octets, so this is not text; the line is left out.", "The same.", "(binary)", "Save the file as UTF-8, not UTF-16.";
    BYTE_ORDER_MARK "byte-order-mark" Warning UnknownKeyword, "The file starts with a UTF-8 byte order mark, which is skipped.", "Takes it for a part of the first keyword, which is then unknown.", "\\u{feff}global_defs {", "Save the file without byte order mark.";
    UNMATCHED_QUOTE "unmatched-quote" Error UnmatchedQuote, "A double quote is not closed on its line; the rest of the line is left out.", "The same.", "router_id \"lb one", "Close the quote.";
    UNDEFINED_NAME "undefined-name" Error UnexpectedOpen, "`${NAME}` stands for nothing. The statement is left out, unless it has a block. In double quotes it is left as it is, without a word.", "Reads the braces as a block, with strange consequences.", "interface ${IFACE}", "Put `$NAME=value` before it.";
    SUBSTITUTION_LIMIT "substitution-limit" Error General, "A definition refers to itself, a line grows beyond 65536 octets or 1024 substitutions, definitions and sequences are nested more than 64 deep, or all of them together make more than 128 MiB of text; the line is left out.", "Leaves a line that grows beyond 1024 octets as it is.", "$A=${A}x", "Give the new value another name.";
    SEQUENCE_INVALID "sequence-invalid" Error General, "A `~SEQ` or `~LST` that cannot be gone through, or has more than 262144 values; its line is left out.", "The same, without a limit.", "~SEQ(A, 1, 0, 3) 10.0.0.${A}", "Write `~SEQ(NAME, START, STEP, END) TEXT` or `~LST(NAME, VALUE, VALUE) TEXT`.";
    LINES_NOT_LAST "lines-not-last" Error General, "A definition over several lines is used with something after it on the line; the line is left out.", "Leaves the line as it is, and takes the braces for a block.", "$M= \\\n    a \\\n    b\n${M} c", "Put what follows on a line of its own.";
    RANDOM_RANGE "random-range" Error General, "The least number of `${_RANDOM}` is greater than the greatest; the least is used.", "The same.", "priority ${_RANDOM 9 5}", "Swap them.";
    UNEXPECTED_OPEN "unexpected-open" Error UnexpectedOpen, "`{` where no block begins. What stands inside is read as part of the block around it.", "Ignores the brace; the closing one then closes the enclosing block.", "priority 100 {", "Remove the brace and its partner.";
    MISSING_OPEN "missing-open" Error MissingOpen, "A keyword that opens a block has no `{`; the lines after it are read as its block.", "The same.", "vrrp_instance A\n    state MASTER", "Add the `{`.";
    EXTRA_CLOSE "extra-close" Error UnexpectedClose, "`}` that closes nothing.", "The same, and calls it an unknown keyword.", "}", "Remove it, or add the `{` that it should close.";
    MISSING_CLOSE "missing-close" Error MissingClose, "The text ends inside a block.", "The same; the block is used.", "vrrp_instance A {", "Add the `}`.";
    TOO_DEEP "too-deep" Error General, "Blocks are nested deeper than any keyword needs; what is inside is left out.", "Has no limit of its own.", "a { a { a {", "Look for missing `}`.";
    TOO_LARGE "too-large" Error General fatal, "There are more than four million statements or eight million words; what follows is left out.", "Has no limit of its own.", "(a file that includes itself many times over)", "Look for definitions and includes that multiply.";
    // keywords
    UNKNOWN_KEYWORD "unknown-keyword" Error UnknownKeyword, "There is no such keyword in this block; it is left out, with its block if it has one.", "Leaves the keyword out but reads the lines of its block as part of the enclosing one, and its `}` as that one's end.", "virtual_ruoter_id 5", "Correct the spelling, or move it to the block where it belongs.";
    MISSING_PARAMETER "missing-parameter" Error MissingParameter fatal, "A keyword that needs a value stands without one.", "Exits at once with status 2.", "priority", "Give the value.";
    MISSING_VALUE "missing-value" Error General, "A keyword that needs a value stands without one; it is left out.", "The same: some keywords look after this themselves, where others make it exit.", "router_id", "Give the value.";
    MISSING_IGNORED "missing-ignored" Warning Fine, "A keyword that needs a value stands without one; it is left out.", "Leaves it out without a word.", "smtp_helo_name", "Give the value.";
    EXTRA_WORDS "extra-words" Warning Fine, "Words after a complete statement are ignored.", "Ignores them without a word.", "nopreempt off", "Remove them. A keyword that takes no value is switched on by being there.";
    NOT_EFFECTIVE "not-effective" Info Fine, "A keyword of keepalived that we accept but that has no effect yet.", "Obeys it.", "track_script {", "See docs/coverage.md.";
    NOT_EFFECTIVE_AUTHENTICATION "not-effective-authentication" Warning Fine, "An authentication that we accept but do not perform yet: adverts are neither signed nor verified.", "Obeys it.", "auth_hmac {", "Use `auth_type PASS`, or wait for it.";
    DEPRECATED "deprecated" Warning Deprecated, "An old spelling; it works.", "Reports it; `-t` ends with 5.", "vmac_garp_intvl 30", "Use the spelling of today.";
    OLD_SPELLING "old-spelling" Info Fine, "An old spelling; it works.", "Says nothing under `-t`.", "vrrp_rlimit_rtime 10000", "Use the spelling of today.";
    OBSOLETE "obsolete" Warning UnknownKeyword, "A word that keepalived knew in its first years and old guides still print. It is understood and has no effect.", "Calls it an unknown keyword.", "virtual_server 10.0.0.1 80 {\n    nat_mask 255.255.255.0", "Remove it.";
    BLOCK_NAME "block-name" Error General, "A block that needs exactly one name has none or several; it is left out.", "The same.", "vrrp_instance A B {", "Give it one name; quote it if it has blanks.";
    DUPLICATE_NAME "duplicate-name" Error General, "A second block of the same name; it is left out.", "The same.", "vrrp_instance A { }\nvrrp_instance A { }", "Rename one.";
    // values
    NUMBER_INVALID "number-invalid" Error InvalidNumber, "Not a decimal number; the default is used.", "The same.", "priority 10abc", "Write digits only.";
    NUMBER_RANGE "number-range" Error InvalidNumber, "A number outside its range; the default is used.", "The same.", "priority 300", "Choose a number in the range.";
    NUMBER_ADJUSTED "number-adjusted" Warning General, "A number that cannot be had; the nearest possible is used.", "The same.", "garp_master_repeat 0", "Write the number that is used.";
    DECIMALS "decimals" Warning InvalidNumber, "More than six decimals; the time is rounded to microseconds.", "The same.", "preempt_delay 0.0000001", "Write fewer decimals.";
    BOOL_INVALID "bool-invalid" Error General, "Not one of on, off, true, false, yes, no (lower case); the default is used.", "The same.", "vrrp_strict YES", "Write on or off.";
    WORD_INVALID "word-invalid" Error General, "Not one of the words that are possible here; it is ignored.", "The same.", "old_unicast_checksum sometimes", "Use one of the words listed.";
    ADDRESS_INVALID "address-invalid" Error General, "Not an IP address, or not one of the kind needed here; it is ignored.", "The same.", "mcast_src_ip 10.0.0.300", "Correct the address. Names are not looked up.";
    ADDRESS_OPTION "address-option" Error General, "A word in an address line that is unknown, lacks its value or does not fit the address; it is ignored.", "The same.", "10.0.0.1 lable eth0:1", "Correct the word.";
    NAME_TOO_LONG "name-too-long" Warning General, "A process name has more than 15 octets; the first 15 are used.", "The same.", "vrrp_process_name keepalived_instance_1", "Shorten it.";
    COMMAND_INVALID "command-invalid" Error General, "A command that cannot be run: it is empty, its quotes or escapes do not close, or it is no text; it is left out.", "The same.", "notify \"\"", "Write the program with its whole path, and quote it together with its arguments.";
    SCRIPT_USER "script-user" Warning Fine, "The word after a command is the user that runs it, and this can hardly be one. A command with arguments is one word: it needs quotes.", "Says nothing under `-t`; the daemon logs that there is no such user and leaves the script out.", "notify /usr/bin/notify.sh --all", "Quote the whole command: `notify \"/usr/bin/notify.sh --all\"`.";
    INTERFACE_NAME "interface-name" Error General, "Not a possible interface name: 1 to 15 octets, without `/`, `:` and blanks; it is ignored.", "The same.", "interface a_very_long_interface_name", "Correct the name.";
    // instances
    VRID_RANGE "vrid-range" Error InvalidNumber fatal, "virtual_router_id is not a number from 1 to 255: the packet has eight bits for it.", "Leaves the VRID unset and does not start.", "virtual_router_id 300", "Choose a number from 1 to 255 that no other router on the link uses.";
    VRID_MISSING "vrid-missing" Error General fatal, "An instance without virtual_router_id.", "Does not start.", "vrrp_instance A {\n    interface eth0\n}", "Add `virtual_router_id`.";
    INTERFACE_MISSING "interface-missing" Error General fatal, "An instance without interface. Only unicast with a source address can do without.", "Does not start.", "vrrp_instance A {\n    virtual_router_id 5\n}", "Add `interface`.";
    INTERFACE_UNKNOWN "interface-unknown" Error General fatal, "There is no interface of this name.", "Does not start; `-t` ends with 5.", "interface eth9", "Correct the name, or put `dynamic_interfaces` into global_defs if it will appear later.";
    INTERFACE_LOOPBACK "interface-loopback" Error General, "VRRP cannot run on the loopback interface; the line is ignored.", "The same.", "interface lo", "Name the interface on which the other router is.";
    DUPLICATE_VRID "duplicate-vrid" Error General fatal, "Two instances of one family use the same VRID on the same interface, so each would take the other's adverts for its own.", "Does not start.", "virtual_router_id 5 # twice on eth0", "Give one of them another VRID.";
    STATE_UNKNOWN "state-unknown" Error General, "`state` is MASTER or BACKUP; BACKUP is used.", "The same.", "state SLAVE", "Write BACKUP.";
    STATE_STRICT "state-strict" Warning General, "In strict mode an instance starts as MASTER if and only if its priority is 255.", "The same.", "vrrp_strict\nstate MASTER\npriority 100", "Remove `state`.";
    NOPREEMPT_CLEARED "nopreempt-cleared" Warning General, "`nopreempt` does not work with `state MASTER` or priority 255; it is ignored.", "The same.", "state MASTER\nnopreempt", "Write `state BACKUP` on both routers.";
    PREEMPT_DELAY_CLEARED "preempt-delay-cleared" Warning General, "`preempt_delay` does not work with `state MASTER`, `nopreempt` or strict mode; it is ignored.", "The same.", "state MASTER\npreempt_delay 60", "Write `state BACKUP`.";
    ADVERT_INTERVAL_ROUNDED "advert-interval-rounded" Warning General, "The version cannot say this interval: version 2 has whole seconds, version 3 hundredths up to 40.95 s. It is rounded.", "The same.", "version 2\nadvert_int 0.5", "Use `version 3` on all routers for short intervals.";
    GROUP_SCOPE "group-scope" Warning General, "An IPv6 multicast group that is not link-local: routers would forward adverts. It is used.", "The same.", "vrrp_mcast_group6 ff05::12", "Use a group that starts with ff02.";
    VERSION_FAMILY "version-family" Warning General, "Version 2 is not for IPv6 in strict mode; version 3 is used.", "The same.", "version 2\nvrrp_strict", "Write `version 3`.";
    STRICT_CONFLICT "strict-conflict" Warning General, "A setting that strict protocol compliance excludes; it is ignored.", "The same.", "vrrp_strict\ndown_timer_adverts 4", "Remove the setting, or strict mode.";
    STRICT_UNICAST "strict-unicast" Error General fatal, "Strict mode excludes unicast on an interface that can multicast.", "Does not start.", "vrrp_strict\nunicast_peer {", "Remove `unicast_peer` or strict mode.";
    STRICT_LINK_LOCAL "strict-link-local" Warning General, "In strict mode the first IPv6 address should be link-local (RFC 9568 section 5.2.9).", "The same.", "virtual_ipaddress {\n    2001:db8::1\n}", "Put a fe80:: address first.";
    NO_ADDRESS "no-address" Warning General, "An instance without virtual_ipaddress moves nothing.", "The same.", "vrrp_instance A { }", "Add addresses, or `no_virtual_ipaddress` if that is what you want.";
    NO_ADDRESS_FATAL "no-address-fatal" Error General fatal, "Version 3 and strict mode need at least one virtual_ipaddress.", "Does not start.", "version 3", "Add addresses, or `no_virtual_ipaddress` (not in strict mode).";
    TOO_MANY_ADDRESSES "too-many-addresses" Warning General, "More addresses than one advert holds; those beyond are managed but not advertised.", "The same.", "virtual_ipaddress {\n    # 300 of them\n}", "Move them to `virtual_ipaddress_excluded`.";
    FAMILY_MISMATCH "family-mismatch" Error General, "An address of the other family than the instance; it is ignored.", "The same; the first address in the file sets the family.", "virtual_ipaddress {\n    10.0.0.1\n    2001:db8::1\n}", "Put addresses of the other family into `virtual_ipaddress_excluded` or a second instance.";
    PEER_DUPLICATE "peer-duplicate" Warning General, "A unicast peer is listed twice.", "Sends to it once.", "unicast_peer {\n    10.0.0.2\n    10.0.0.2\n}", "Remove one.";
    PEER_TTL "peer-ttl" Warning General, "min_ttl of a peer is greater than its max_ttl, so no advert of it is ever accepted.", "The same.", "10.0.0.2 min_ttl 255 max_ttl 254", "Swap them.";
    UNICAST_GROUP "unicast-group" Warning General, "A multicast group for an instance that sends to peers; it is ignored.", "The same.", "mcast_dst_ip 224.0.0.99", "Remove mcast_dst_ip or unicast_peer.";
    UNICAST_WITHOUT_PEER "unicast-without-peer" Warning General, "Settings for unicast, but no peer: multicast is used.", "The same.", "unicast_src_ip 10.0.0.1", "Add `unicast_peer`, or `unicast_fault_no_peer`.";
    PASSWORD_TRUNCATED "password-truncated" Warning General, "auth_pass has more than eight octets; the packet has room for eight, and only they count.", "The same.", "auth_pass correcthorse", "Shorten it to what is used: both routers keep agreeing.";
    AUTHENTICATION_IGNORED "authentication-ignored" Warning General, "Authentication exists in version 2 without strict mode only, and needs a password; it is ignored.", "The same.", "version 3\nauthentication {", "Remove the block; it never protected against anybody on the link.";
    AUTH_TYPE_UNKNOWN "auth-type-unknown" Error General, "auth_type is PASS or AH, in capitals; no authentication is used.", "The same.", "auth_type PASS;", "Write `auth_type PASS`.";
    // between the nodes of a cluster: keepalivedctl check with several files
    CLUSTER_ALONE "cluster-alone" Warning General, "Only one of the nodes has this VRID, so nothing takes over when that node fails.", "Never sees more than one file.", "(VRID 51 in one file only)", "Give another node an instance with this VRID.";
    CLUSTER_VRID "cluster-vrid" Error General, "An instance of the same name has another VRID, or another family, on another node: the two never hear each other.", "Never sees more than one file.", "virtual_router_id 51, and 52 in the other file", "Give both the same virtual_router_id.";
    CLUSTER_VERSION "cluster-version" Error General, "Two nodes speak different versions of VRRP: each refuses the adverts of the other, and both become master.", "Never sees more than one file.", "version 3, and 2 in the other file", "Give both the same version.";
    CLUSTER_INTERVAL "cluster-interval" Error General, "Two nodes have different advert intervals. Version 2 refuses such adverts; version 3 goes by the interval of the master.", "Never sees more than one file.", "advert_int 1, and 2 in the other file", "Give both the same advert_int.";
    CLUSTER_AUTHENTICATION "cluster-authentication" Error General, "Two nodes have different passwords, or only one has any: each refuses the adverts of the other, and both become master.", "Never sees more than one file.", "auth_pass a, and b in the other file", "Give both the same auth_pass.";
    CLUSTER_ADDRESSES "cluster-addresses" Error General, "Two nodes do not have the same virtual addresses: some are gone when the other is master.", "Never sees more than one file.", "(an address in one file only)", "Write the same virtual_ipaddress on every node.";
    CLUSTER_ADDRESS_ORDER "cluster-address-order" Info Fine, "Two nodes have the same virtual addresses in another order. Some routers of other makers compare the lists as they stand.", "Never sees more than one file.", "(the same addresses, sorted differently)", "Write the same order on every node.";
    CLUSTER_PRIORITY "cluster-priority" Warning General, "Two nodes have the same priority. Who is master then depends on their interface addresses, and a failover may come back by itself.", "Never sees more than one file.", "priority 100 on both", "Give each node a priority of its own; 255 to one at most.";
    CLUSTER_TRANSPORT "cluster-transport" Error General, "One node sends to a group or to peers that the other does not hear.", "Never sees more than one file.", "unicast_peer on one node only", "Give all nodes the same group, or peers to each.";
    CLUSTER_PEERS "cluster-peers" Error General, "A node sends from an address that another node does not have among its unicast peers; that node does not answer it.", "Never sees more than one file.", "unicast_src_ip 10.0.0.1, and no 10.0.0.1 among the peers of the other", "List every other node in unicast_peer.";
    CLUSTER_CHECKSUM "cluster-checksum" Warning General, "Two nodes send different forms of the version 3 checksum.", "Never sees more than one file.", "v3_checksum_as_v2 on one node only", "Say the same on every node.";
    // groups
    GROUP_MEMBER_UNKNOWN "group-member-unknown" Warning General, "A group names an instance that does not exist; the name is ignored.", "The same.", "group {\n    VI_9\n}", "Correct the name.";
    GROUP_MEMBER_TWICE "group-member-twice" Warning General, "An instance is in one sync group only; the second membership is ignored.", "The same.", "vrrp_sync_group H {\n    group {\n        A\n    }\n}", "Remove one.";
    GROUP_SINGLE "group-single" Warning General, "A sync group with one member synchronises nothing.", "The same.", "group {\n    A\n}", "Add the other instances.";
    GROUP_EMPTY "group-empty" Warning General, "A group without members; it is left out.", "The same.", "vrrp_sync_group G { }", "Add `group { ... }`.";
    GARP_GROUP "garp-group" Warning General, "A garp_group without interval or with an interface that another one has.", "The same.", "garp_group {\n    interface eth0\n}", "Give each garp_group an interval and interfaces of its own.";
}
