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
    /// Whether it stops the vrrp process only.
    pub routers_only: bool,
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
                    routers_only: rules!(routers $($fatal)?),
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
    (@ fatal_to_routers) => { true };
    (@) => { false };
    (routers fatal_to_routers) => { true };
    (routers $($other:ident)?) => { false };
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
    NUL_OCTET "nul-octet" Error General fatal, "A line holds NUL octets, so this is not text: UTF-16, or what a power cut left of the file. Nothing can run with it, and a reload changes nothing.", "Leaves the line out, and runs with the rest.", "(binary)", "Save the file as UTF-8, or restore it from a copy.";
    BYTE_ORDER_MARK "byte-order-mark" Warning UnknownKeyword, "The file starts with a UTF-8 byte order mark, which is skipped.", "Takes it for a part of the first keyword, which is then unknown.", "\\u{feff}global_defs {", "Save the file without byte order mark.";
    TYPOGRAPHIC_QUOTES "typographic-quotes" Warning Fine, "Quotes as word processors write them are letters like others: they neither join words nor go away.", "The same, without a word.", "auth_pass “secret”", "Write `\"`.";
    TEMPLATE "template" Error MissingParameter fatal, "The file is a template (`{{ }}`, `{% %}`) in which nothing has been put in. Nothing else is said about it.", "Reports each brace and each word. It exits with 2 where a value is missing, and runs with the rest where only `{% %}` stands on lines of its own.", "priority {{ priority }}", "Load what the template makes, not the template.";
    UNMATCHED_QUOTE "unmatched-quote" Error UnmatchedQuote, "A double quote is not closed on its line; the rest of the line is left out.", "The same.", "router_id \"lb one", "Close the quote.";
    UNDEFINED_NAME "undefined-name" Error UnexpectedOpen, "`${NAME}` stands for nothing. The statement is left out, unless it has a block. In double quotes it is left as it is, without a word.", "Reads the braces as a block, with strange consequences.", "interface ${IFACE}", "Put `$NAME=value` before it.";
    SUBSTITUTION_LIMIT "substitution-limit" Error General, "A definition refers to itself, a line grows beyond 65536 octets or 1024 substitutions, definitions and sequences are nested more than 64 deep, or all of them together make more than 64 MiB of text; the line is left out.", "Leaves a line that grows beyond 1024 octets as it is.", "$A=${A}x", "Give the new value another name.";
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
    BLOCK_WORDS "block-words" Warning General, "Words between the keyword of a list and its `{`; they are ignored, the list is read.", "The same.", "static_ipaddress eth0 {\n    10.0.0.1/24", "Remove them, or put them into the lines of the list.";
    NOT_EFFECTIVE "not-effective" Info Fine, "A keyword of keepalived that we accept but that has no effect yet.", "Obeys it.", "track_script {", "See docs/coverage.md.";
    DEPRECATED "deprecated" Warning Deprecated, "An old spelling; it works.", "Reports it; `-t` ends with 5.", "vmac_garp_intvl 30", "Use the spelling of today.";
    OLD_SPELLING "old-spelling" Info Fine, "An old spelling; it works.", "Says nothing under `-t`.", "vrrp_rlimit_rtime 10000", "Use the spelling of today.";
    OBSOLETE "obsolete" Warning UnknownKeyword, "A word that keepalived knew in its first years and old guides still print. It is understood and has no effect.", "Calls it an unknown keyword.", "virtual_server 10.0.0.1 80 {\n    nat_mask 255.255.255.0", "Remove it.";
    BLOCK_NAME "block-name" Error General, "A block that needs exactly one name has none or several; it is left out.", "The same; of a bfd_instance without a name it crashes.", "vrrp_instance A B {", "Give it one name; quote it if it has blanks.";
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
    NO_SHELL "no-shell" Warning Fine, "A command has a sign that a shell would obey: `|`, `;`, `&&`, `>`, `$( )`. No shell is between: the program gets the sign as a word.", "The same, without a word.", "script \"/usr/bin/pgrep haproxy | grep -q .\"", "Put the line into a script, or write `script \"/bin/sh -c '...'\"`.";
    USER_UNKNOWN "user-unknown" Error General, "`script_user`, `user`, or the words after the command of `startup_script` or `shutdown_script` name a user or a group that does not exist. The script is left out; after `script_user`, all scripts without a user of their own.", "The same.", "script_user kepalived_script", "Correct the name, or create the user: `useradd --system --shell /usr/sbin/nologin keepalived_script`.";
    OWNER_UNKNOWN "owner-unknown" Error Fine, "The words after the command of a notify or quorum script, or after a FIFO, name a user or a group that does not exist. It is left out.", "The same, but says nothing under `-t`; only the daemon logs it.", "notify /usr/bin/notify nobdy", "Correct the name, or create the user. If the word belongs to the command, quote both together.";
    SCRIPT_OWNER "script-owner" Error General, "`enable_script_security` is set, no `script_user`, and the user `keepalived_script`, who would run scripts then, does not exist. Scripts without a user of their own are left out.", "The same.", "global_defs {\n    enable_script_security\n}", "Add `script_user`, or create the user: `useradd --system --shell /usr/sbin/nologin keepalived_script`.";
    INTERFACE_NAME "interface-name" Error General, "Not a possible interface name: 1 to 15 octets, without `/`, `:` and blanks; it is ignored.", "The same.", "interface a_very_long_interface_name", "Correct the name.";
    NAMESPACE_MISSING "namespace-missing" Warning Fine, "There is no network namespace of the name in `net_namespace` (or after `-s`). The rest is checked as if each interface were there; the daemon does not start.", "Looks at nothing else: `-t` says so and ends with 0.", "net_namespace nowhere", "Correct the name, or make the namespace before the daemon starts: `ip netns add NAME`.";
    // instances
    VRID_RANGE "vrid-range" Error InvalidNumber fatal_to_routers, "virtual_router_id is not a number from 1 to 255: the packet has eight bits for it.", "Leaves the VRID unset and does not start.", "virtual_router_id 300", "Choose a number from 1 to 255 that no other router on the link uses.";
    VRID_MISSING "vrid-missing" Error General fatal_to_routers, "An instance without virtual_router_id.", "Does not start.", "vrrp_instance A {\n    interface eth0\n}", "Add `virtual_router_id`.";
    INTERFACE_MISSING "interface-missing" Error General fatal_to_routers, "An instance without interface. Only unicast with a source address can do without.", "Does not start.", "vrrp_instance A {\n    virtual_router_id 5\n}", "Add `interface`.";
    INTERFACE_UNKNOWN "interface-unknown" Error General fatal_to_routers, "There is no interface of this name.", "Does not start; `-t` ends with 5.", "interface eth9", "Correct the name, or put `dynamic_interfaces` into global_defs if it will appear later.";
    INTERFACE_LOOPBACK "interface-loopback" Error General, "VRRP cannot run on the loopback interface; the line is ignored.", "The same.", "interface lo", "Name the interface on which the other router is.";
    DUPLICATE_VRID "duplicate-vrid" Error General fatal_to_routers, "Two instances of one family use the same VRID on the same interface, so each would take the other's adverts for its own.", "Does not start.", "virtual_router_id 5 # twice on eth0", "Give one of them another VRID.";
    STATE_UNKNOWN "state-unknown" Error General, "`state` is MASTER or BACKUP; BACKUP is used.", "The same.", "state SLAVE", "Write BACKUP.";
    STATE_STRICT "state-strict" Warning General, "In strict mode an instance starts as MASTER if and only if its priority is 255.", "The same.", "vrrp_strict\nstate MASTER\npriority 100", "Remove `state`.";
    NOPREEMPT_CLEARED "nopreempt-cleared" Warning General, "`nopreempt` does not work with `state MASTER` or priority 255; it is ignored.", "The same.", "state MASTER\nnopreempt", "Write `state BACKUP` on both routers.";
    PREEMPT_DELAY_CLEARED "preempt-delay-cleared" Warning General, "`preempt_delay` does not work with `state MASTER`, `nopreempt` or strict mode; it is ignored.", "The same.", "state MASTER\npreempt_delay 60", "Write `state BACKUP`.";
    ADVERT_INTERVAL_ROUNDED "advert-interval-rounded" Warning General, "The version cannot say this interval: version 2 has whole seconds, version 3 hundredths up to 40.95 s. It is rounded.", "The same.", "version 2\nadvert_int 0.5", "Use `version 3` on all routers for short intervals.";
    GROUP_SCOPE "group-scope" Warning General, "An IPv6 multicast group that is not link-local: routers would forward adverts. It is used.", "The same.", "vrrp_mcast_group6 ff05::12", "Use a group that starts with ff02.";
    VERSION_FAMILY "version-family" Warning General, "Version 2 is not for IPv6 in strict mode; version 3 is used.", "The same.", "version 2\nvrrp_strict", "Write `version 3`.";
    STRICT_CONFLICT "strict-conflict" Warning General, "A setting that strict protocol compliance excludes; it is ignored.", "The same.", "vrrp_strict\ndown_timer_adverts 4", "Remove the setting, or strict mode.";
    STRICT_UNICAST "strict-unicast" Error General fatal_to_routers, "Strict mode excludes unicast on an interface that can multicast.", "Does not start.", "vrrp_strict\nunicast_peer {", "Remove `unicast_peer` or strict mode.";
    STRICT_LINK_LOCAL "strict-link-local" Warning General, "In strict mode the first IPv6 address should be link-local (RFC 9568 section 5.2.9).", "The same.", "virtual_ipaddress {\n    2001:db8::1\n}", "Put a fe80:: address first.";
    NO_ADDRESS "no-address" Warning General, "An instance without virtual_ipaddress moves nothing.", "The same.", "vrrp_instance A { }", "Add addresses, or `no_virtual_ipaddress` if that is what you want.";
    NO_ADDRESS_FATAL "no-address-fatal" Error General fatal_to_routers, "Version 3 and strict mode need at least one virtual_ipaddress.", "Does not start.", "version 3", "Add addresses, or `no_virtual_ipaddress` (not in strict mode).";
    TOO_MANY_ADDRESSES "too-many-addresses" Warning General, "More addresses than one advert holds; those beyond are managed but not advertised.", "The same.", "virtual_ipaddress {\n    # 300 of them\n}", "Move them to `virtual_ipaddress_excluded`.";
    FAMILY_MISMATCH "family-mismatch" Error General, "An address of the other family than the instance; it is ignored.", "The same; the first address in the file sets the family.", "virtual_ipaddress {\n    10.0.0.1\n    2001:db8::1\n}", "Put addresses of the other family into `virtual_ipaddress_excluded` or a second instance.";
    PEER_DUPLICATE "peer-duplicate" Warning General, "A unicast peer is listed twice.", "Sends to it once.", "unicast_peer {\n    10.0.0.2\n    10.0.0.2\n}", "Remove one.";
    PEER_SELF "peer-self" Warning Fine, "The source address of an instance is among its unicast peers: it would send adverts to itself.", "Says nothing.", "unicast_src_ip 10.0.0.1\nunicast_peer {\n    10.0.0.1\n}", "Remove it from `unicast_peer`: that lists the other routers.";
    PEER_HERE "peer-here" Warning Fine, "The peer of one instance is the source address of another instance in the same file: both would be on one machine. Mostly this is the other router's file, or a part of it.", "Says nothing.", "# in one file\nunicast_src_ip 10.0.0.1\nunicast_peer {\n    10.0.0.2\n}\n# and in another instance\nunicast_src_ip 10.0.0.2", "Give each router its own file, with its own address as source.";
    ADDRESS_TWICE "address-twice" Warning General, "An address stands twice in an instance; once is enough.", "The same.", "virtual_ipaddress {\n    10.0.0.1\n    10.0.0.1\n}", "Remove one.";
    ADDRESS_SHARED "address-shared" Warning Fine, "Two instances have the same virtual address: when they are master on different routers, both answer for it.", "Says nothing.", "# 10.0.0.1 in instances A and B", "Leave it to one of them, or put both into one sync group.";
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
    // routes, rules, what is static
    ROUTE_INVALID "route-invalid" Error General, "A line of routes that cannot be understood; it is left out.", "The same.", "10.1.0.0/16 via 10.0.0.300", "Correct the word that is marked. The options are those of ip-route(8).";
    RULE_INVALID "rule-invalid" Error General, "A line of rules that cannot be understood; it is left out.", "The same.", "from 10.1.0.0/16", "Correct the word that is marked. The options are those of ip-rule(8); a rule needs a table, or blackhole and the like.";
    RULE_PREFERENCE "rule-preference" Warning General, "A rule without preference gets 16384, the next one 16383: which of two rules comes first depends on their order in the file.", "The same.", "from 10.1.0.0/16 table 5", "Add `preference`.";
    ROUTE_PROTOCOL "route-protocol" Warning General, "What is tracked is recognised by its protocol, keepalived's own; another one is replaced.", "The same.", "10.1.0.0/16 via 10.0.0.1 protocol static", "Add `no_track`, or remove `protocol`.";
    TRACK_GROUP "track-group" Warning General, "A track_group that does not exist, or on a line without interface; it is ignored.", "The same.", "static_routes {\n    10.1.0.0/16 via 10.0.0.1 track_group G\n}", "Define the group, and name the interface with `dev` (`iif` in a rule).";
    TRACK_GROUP_MEMBER "track-group-member" Warning Fine, "A track_group names an instance that does not exist; the name is ignored.", "Says nothing.", "track_group G {\n    group {\n        VI_9\n    }\n}", "Correct the name.";
    STATIC_INTERFACE "static-interface" Error General, "A static address on an interface that does not exist; it is left out.", "The same.", "static_ipaddress {\n    10.0.0.1/24\n}", "Add `dev`, or set `default_interface` in global_defs: without either it is eth0.";
    INTERFACE_ABSENT "interface-absent" Error BadInterface fatal_to_routers, "linkbeat_interfaces or interface_up_down_delays name an interface that does not exist.", "Does not start; `-t` ends with 4.", "linkbeat_interfaces {\n    eth9\n}", "Correct the name, or put `dynamic_interfaces` into global_defs if it will appear later.";
    DELAY_MISSING "delay-missing" Warning Fine, "An interface in interface_up_down_delays without delays; it is left out.", "The same; it logs so, but not under `-t`.", "interface_up_down_delays {\n    eth0\n}", "Write the delays, down first.";
    DELAY_INVALID "delay-invalid" Error InvalidNumber, "A delay of an interface is 0 to 255 seconds; the line is left out.", "The same.", "eth0 300", "Choose a delay in the range.";
    // what is tracked
    TRACKER_UNKNOWN "tracker-unknown" Error General, "Something is tracked that is not defined; the line is left out, so its failure changes nothing.", "The same. It crashes if it is a track_file and another one is defined.", "track_script {\n    chk_haproxy\n}", "Define it, or correct the name.";
    TRACKER_DUPLICATE "tracker-duplicate" Warning Fine, "Something to be tracked is defined twice by one name; the first counts.", "The same, without a word.", "vrrp_script chk { }\nvrrp_script chk { }", "Rename one.";
    TRACKER_INCOMPLETE "tracker-incomplete" Error General, "Something to be tracked that lacks what it is about: the command, the file, the process. It is left out.", "The same.", "vrrp_script chk {\n    interval 2\n}", "Add what is missing.";
    TRACK_FILE_DIRECTORY "track-file-directory" Warning General, "The directory of a track_file is not there. The file is followed all the same: it counts as soon as the directory and the file are there.", "Leaves the track_file out, with all that tracks it.", "track_file f {\n    file /nonexistent/dir/f", "Make the directory, or correct the path.";
    SCRIPT_UNUSED "script-unused" Warning General, "A vrrp_script that no instance and no sync group tracks: it is never run.", "The same.", "vrrp_script chk {\n    script /usr/bin/chk\n}", "Name it in `track_script`, or remove it.";
    TRACKER_UNUSED "tracker-unused" Warning Fine, "A process or a probe that no instance and no sync group tracks.", "Says nothing.", "vrrp_track_process haproxy {\n    process haproxy\n}", "Name it in `track_process` or `track_probe`, or remove it.";
    PROBE_TARGET "probe-target" Error General, "A vrrp_track_probe that asks more than one thing, or something that cannot be asked: a name where an address belongs, a port beyond 65535, a URL of another kind, a source of the other family, a link-local address without `interface`.", "It does not know the keyword.", "vrrp_track_probe gw {\n    ping gateway.example.com\n}", "Write one of `tcp ADDRESS PORT`, `http http://ADDRESS:PORT/PATH` and `ping ADDRESS`.";
    TRACK_LINE "track-line" Error General, "A line of what is tracked that cannot be understood, or names something a second time.", "The same.", "track_interface {\n    eth1 prio 10\n}", "Write the name, and perhaps `weight`, a number and `reverse`.";
    SCRIPT_TIMEOUT "script-timeout" Warning Fine, "A vrrp_script may run longer than the time from one start to the next. A run that is still going on makes the next one wait, so a failure is noticed late.", "Says nothing.", "interval 2\ntimeout 5", "Make `timeout` shorter than `interval`.";
    QUORUM "quorum" Warning General, "quorum_max of a vrrp_track_process is less than its quorum; quorum_max is ignored.", "The same.", "quorum 3\nquorum_max 2", "Make quorum_max at least quorum.";
    INITIAL_FILE "initial-file" Warning General, "init_file writes a number that no priority can follow: more than 254 either way.", "The same.", "init_file 1000", "Choose a smaller number.";
    SCRIPT_MISSING "script-missing" Error General, "The program of a vrrp_script is not there; the script is left out, with everything that tracks it.", "The same.", "vrrp_script chk {\n    script /usr/bin/chk_haproxi\n}", "Correct the path, or install the program before keepalived starts.";
    SCRIPT_INSECURE "script-insecure" Error General, "root would run a vrrp_script that others could replace: it, or a directory or symbolic link on the way, does not belong to root or may be written by others. With `enable_script_security` it is left out, with everything that tracks it.", "The same; 2.4 also leaves out a script behind a symbolic link to a directory, whoever owns that.", "vrrp_script chk {\n    script /tmp/check", "Correct owner and mode of what the message names, or let another user run it.";
    SCRIPT_SHELL "script-shell" Info Fine, "A command that begins with `<` and a path: `/bin/sh` opens that file, and runs what follows, if anything does. `</dev/tcp/HOST/PORT` with a number as port needs no shell: we connect ourselves.", "Uses `/bin/sh` for `/dev/tcp` too, which works only if that is a shell which knows it, such as bash. Says nothing under `-t`.", "script \"</run/healthy\"", "Nothing, if opening the file is what is meant.";
    SCRIPT_UNUSABLE "script-unusable" Warning Fine, "A script that cannot be run now: there is none, or who would run it may not; or, with `enable_script_security`, others than root could replace what root would run. The last is left out, except in MISC_CHECK: a check is judged each time that it is made, and fails as long as it is not safe.", "Leaves it out, but says nothing under `-t`; only the daemon logs it.", "notify /usr/local/bin/notfy", "Correct the path, its owner or its mode.";
    SCRIPT_SECURITY "script-security" Warning Security, "Scripts are run without enable_script_security: one that others may write could be made to run as root.", "The same; `-t` ends with 6.", "notify /usr/local/bin/notify", "Add `enable_script_security` to global_defs, and `script_user` with the user that scripts run as.";
    TRACK_OWN_INTERFACE "track-own-interface" Warning General, "The interface of an instance is tracked by it anyway; the line is left out.", "The same.", "interface eth0\ntrack_interface {\n    eth0 weight 20\n}", "Remove the line. `dont_track_primary` is for those who do not want it.";
    TRACKED_TWICE "tracked-twice" Warning General, "An interface is tracked by an instance and by its sync group.", "The same; the weight of the group counts.", "vrrp_sync_group G {\n    track_interface {\n        eth1\n    }\n}", "Remove one of the two lines.";
    WEIGHT_IN_GROUP "weight-in-group" Warning General, "Members of a sync group move together, so a weight on one of them cannot move it alone. Interfaces and files count as FAULT, other trackers are left out.", "The same.", "vrrp_sync_group G {\n    group { A B }\n}\n# A tracks chk weight -20", "Track it in the group, or with weight 0, or add `sync_group_tracking_weight` to the group.";
    WEIGHT_OF_OWNER "weight-of-owner" Warning General, "Priority 255 is that of the owner of the addresses and never changes; trackers with a weight are left out.", "The same.", "priority 255\ntrack_script {\n    chk weight -20\n}", "Choose a priority below 255, or weight 0.";
    WEIGHT_WITHOUT_EFFECT "weight-without-effect" Warning Fine, "A priority stays between 1 and 254. A weight that pushes it beyond does nothing.", "Says nothing.", "priority 254\ntrack_script {\n    chk weight 20\n}", "Choose a priority with room on that side, or weight 0.";
    // authentication by HMAC
    KEY_FILE_OPEN "key-file-open" Warning Security, "A file with a key of auth_hmac that others than its owner may read or write; it is used.", "The same; `-t` ends with 6.", "key 1 file:/etc/keepalived/hmac.key", "`chmod go= FILE`, and choose another key if others may have seen it.";
    HMAC_KEY "hmac-key" Error General, "A key of auth_hmac that cannot be used: its id is 1 to 255 and unique, its value 32 to 64 octets, `hex:` and digits, or `file:` and a path. It is left out.", "The same.", "key 1 secret", "Make one with `openssl rand -hex 32`, and write `key 1 hex:...` on all routers.";
    HMAC_ACTIVE "hmac-active" Error General, "auth_hmac without active_key, or with one that there is no key for: adverts are neither signed nor verified.", "The same.", "auth_hmac {\n    active_key 2\n}", "Name the key that signs adverts.";
    AH_MASTER "ah-master" Warning General, "With auth_type AH a router must hear a sequence number before it takes over, so `state MASTER` is BACKUP.", "The same.", "state MASTER\nauth_type AH", "Remove `state`.";
    // interfaces of an instance
    OWN_LINK "own-link" Warning General, "A word of use_vmac, use_ipvlan or vmac_xmit_base that does not fit; it is ignored.", "The same.", "use_vmac 01:00:5e:00:00:01", "Correct the word that is marked.";
    OWN_LINKS "own-links" Warning Fine, "use_vmac and use_ipvlan exclude each other; use_ipvlan is ignored.", "Takes both, and makes a macvlan.", "use_vmac\nuse_ipvlan 10.0.0.9", "Remove one.";
    OWN_LINK_PROMOTION "own-link-promotion" Warning General, "promote_secondaries with use_vmac or use_ipvlan: the interface that is made has it anyway. The line is ignored.", "The same.", "use_vmac\npromote_secondaries", "Remove `promote_secondaries`.";
    OWN_LINK_TRANSMIT "own-link-transmit" Warning General, "Unicast with use_vmac needs vmac_xmit_base: adverts leave from the interface below. It is set.", "The same; it says so of use_ipvlan, too.", "use_vmac\nunicast_peer {", "Add `vmac_xmit_base`.";
    OWN_LINK_BASE "own-link-base" Warning General, "use_vmac or use_ipvlan in a unicast instance without an interface: there is nothing to make an interface on. It is ignored.", "The same.", "vrrp_instance A {\n    use_vmac\n    unicast_src_ip 10.0.0.1", "Add `interface`, or remove `use_vmac`.";
    VRF "vrf" Warning General, "vrf is for unicast instances without interface: an interface is in a VRF by itself. It is ignored.", "The same.", "interface eth0\nvrf blue", "Remove one of the two.";
    TIMER_EXPIRED "timer-expired" Warning General, "timer_expired_backup works with nopreempt only; it is ignored.", "The same.", "timer_expired_backup", "Add `nopreempt`, or remove it.";
    // the daemon beside VRRP
    MAIL_INCOMPLETE "mail-incomplete" Warning Fine, "Mail needs smtp_server and notification_email; with one of them none is sent.", "Says nothing.", "smtp_server 127.0.0.1", "Add the other one, or remove this one.";
    MAIL_LOGIN "mail-login" Warning Fine, "A login at the mail server needs smtp_user and smtp_password_file, and smtp_tls: without it, the password can be read on the way. These are keywords of ours.", "Knows no login.", "smtp_server 127.0.0.1\n  notification_email {\n    root@localhost\n  }\n  smtp_user lb", "Give all three.";
    METRICS_LISTEN "metrics-listen" Error Fine, "metrics_listen, a keyword of ours, takes a port, or an address of this machine and a port.", "Knows no metrics.", "metrics_listen localhost 9650", "Write `metrics_listen 9650` or `metrics_listen 192.0.2.1 9650`.";
    LOG_LEVEL "log-level" Error Fine, "log_level, a keyword of ours, takes names of subsystems and a level.", "Knows no levels.", "log_level vrrp loud", "Write `log_level vrrp debug`, or `log_level warning` for all of them.";
    WEBHOOK "webhook" Error Fine, "webhook, a keyword of ours, takes a URL that begins with http:// or https:// and has no login.", "Knows no webhook.", "webhook 192.0.2.1", "Write `webhook https://HOST:PORT/PATH`.";
    MAIL_EMPTY "mail-empty" Warning General, "notification_email without an address.", "The same.", "notification_email {\n}", "Add addresses, or remove the block.";
    SNMP_SOCKET "snmp-socket" Error General, "snmp_socket is one word; with more it is ignored.", "The same.", "snmp_socket tcp 127.0.0.1:705", "Write it as `tcp:127.0.0.1:705`.";
    BUFFER_POLICY "buffer-policy" Warning General, "vrrp_rx_bufs_policy has several words. A number counts; of MTU and ADVERT it is MTU.", "The same, if the number comes first.", "vrrp_rx_bufs_policy MTU ADVERT", "Write one of them.";
    MAIL_SENDER "mail-sender" Warning General, "notification_email_from is one address; words after it are ignored.", "The same.", "notification_email_from Keepalived lb@example.org", "Quote a name together with its address.";
    FIFO_WITHOUT_PATH "fifo-without-path" Warning Fine, "A script that reads a FIFO which is not configured; it is not started.", "The same, without a word under `-t`.", "notify_fifo_script /usr/bin/reader", "Add the FIFO.";
    CHAIN_TWICE "chain-twice" Warning Fine, "vrrp_iptables names one chain for both directions; it is ignored.", "The same; it logs so, but not under `-t`.", "vrrp_iptables VRRP VRRP", "Name two chains.";
    RELOAD_TIME "reload-time" Warning Fine, "reload_repeat says to reload again, but no reload_time_file says when.", "Says nothing.", "reload_repeat", "Add `reload_time_file`.";
    // groups
    GROUP_MEMBER_UNKNOWN "group-member-unknown" Warning General, "A group names an instance that does not exist; the name is ignored.", "The same.", "group {\n    VI_9\n}", "Correct the name.";
    GROUP_MEMBER_TWICE "group-member-twice" Warning General, "An instance is in one sync group only; the second membership is ignored.", "The same.", "vrrp_sync_group H {\n    group {\n        A\n    }\n}", "Remove one.";
    GROUP_SINGLE "group-single" Warning General, "A sync group with one member synchronises nothing.", "The same.", "group {\n    A\n}", "Add the other instances.";
    GROUP_OWNERS "group-owners" Warning General, "A sync group with members of priority 255 and others: the owner would be master at once, and must wait for the others.", "The same.", "vrrp_sync_group G {\n    group { OWNER OTHER }\n}", "Give all members priority 255, or none.";
    GROUP_BARE "group-bare" Warning UnknownKeyword, "Members of a sync group stand in its block without `group { }`, as in keepalived's first user guide; they are understood.", "Takes each for an unknown keyword; the group has no members.", "vrrp_sync_group G {\n    VI_1\n    VI_2\n}", "Put them into `group { }`.";
    GROUP_EMPTY "group-empty" Warning General, "A group without members; it is left out.", "The same.", "vrrp_sync_group G { }", "Add `group { ... }`.";
    GARP_GROUP "garp-group" Warning General, "A garp_group without interval or with an interface that another one has.", "The same.", "garp_group {\n    interface eth0\n}", "Give each garp_group an interval and interfaces of its own.";
    // load balancing
    SINGLE_WORD "single-word" Error General, "A keyword that takes exactly one word has several; it is left out.", "The same.", "snmp_name web server", "Put the words into one pair of double quotes.";
    SAID_TWICE "said-twice" Warning General, "A keyword that is given a second time where there can be one; the first counts.", "The same.", "snmp_socket tcp:1.2.3.4:705\nsnmp_socket unix:/run/snmp", "Remove one.";
    SAID_AGAIN "said-again" Warning General, "A keyword that is given a second time where there can be one; the last counts.", "The same.", "url {\n    path /a\n    path /b", "Remove one.";
    REPEATED "repeated" Warning Fine, "A keyword, or an option of a route or rule, that is given a second time where there can be one; the last counts.", "The same, without a word.", "priority 100\npriority 150", "Remove one.";
    VIRTUAL_SERVER_TWICE "virtual-server-twice" Error Fine, "Two blocks describe one service: the same address, port and protocol, the same mark, or the same group. The kernel has one service for both. The settings of the first count, and it gets the real servers of both.", "Says nothing; both blocks write into the same service, and remove each other's servers when a check fails.", "virtual_server 10.0.0.1 80 { }\nvirtual_server 10.0.0.1 80 { }", "Put all real servers into one block.";
    REAL_SERVER_TWICE "real-server-twice" Error General, "A virtual server has the same address and port twice; the second is left out, with its checks.", "The same, if both are written alike; if one of them leaves the port out, it says nothing.", "real_server 10.0.1.1 80 { }\nreal_server 10.0.1.1 80 { }", "Remove one. Use `weight` to send more to a server.";
    NO_REAL_SERVER "no-real-server" Error General, "A virtual server without a real server that can be used: the service does not exist. A sorry server alone does not make one.", "The same.", "virtual_server 10.0.0.1 80 { }", "Add `real_server`, or remove the block.";
    SERVER_FAMILY "server-family" Error General, "A real or sorry server of another family than the virtual server; it is left out. Only tunnels cross from one family to the other. Also `ip_family` that contradicts the address.", "The same.", "virtual_server 10.0.0.1 80 {\n    real_server 2001:db8::1 80 { }", "Use an address of the same family, or `lvs_method TUN`.";
    SERVER_PORT "server-port" Warning General, "A server behind DR or TUN has a port that is not the virtual server's: only NAT changes ports. The virtual server's is used; checks go to the port that is written.", "The same.", "lvs_method DR\nreal_server 10.0.1.1 8080 { }", "Write the virtual server's port, and `connect_port` in the check if it is another one.";
    PORT_MISSING "port-missing" Warning General, "A virtual server for every port must be persistent, or one client would reach one server with one port and another with the next; persistence_timeout becomes 360.", "The same.", "virtual_server 10.0.0.1 {", "Add the port, or `persistence_timeout`.";
    SCHEDULER_MISSING "scheduler-missing" Warning General, "A virtual server without lvs_sched; wlc is used.", "The same.", "virtual_server 10.0.0.1 80 { }", "Add `lvs_sched wlc`, or what else is meant.";
    SCHEDULER_FLAG "scheduler-flag" Warning General, "An option of the schedulers sh and mh with another one; it is ignored.", "The same, and also when it stands before `lvs_sched`.", "lvs_sched rr\nsh-port", "Remove it, or use `lvs_sched sh`.";
    FORWARDING_MISSING "forwarding-missing" Warning General, "A virtual server without lvs_method; NAT is used, which works only if answers come back through this machine.", "The same.", "virtual_server 10.0.0.1 80 { }", "Add `lvs_method NAT`, `DR` or `TUN`.";
    BACKEND_UNSUPPORTED "backend-unsupported" Error General, "With `lvs_backend nftables`, a virtual server asks for something that only IPVS does: TUN, NAT and DR for servers of one virtual server, ops, persistence_engine, thresholds. It is left out. With `lvs_backend auto` the daemon says so when it finds that the kernel has no IPVS.", "Does not have this word.", "lvs_backend nftables\nlvs_method TUN", "Use `lvs_method NAT` or `lvs_method DR` for all its servers, leave the word out, or use `lvs_backend ipvs`.";
    TUNNEL_OPTION "tunnel-option" Error General, "Options of a tunnel that do not fit together: gue needs a port and no other has one, ipip has no checksum, gre no remcsum. The tunnel is of type ipip, without options.", "The same, more or less.", "lvs_method TUN type gue", "Write `lvs_method TUN type gue port 6080`.";
    PROTOCOL_MISSING "protocol-missing" Warning General, "A virtual server without protocol; UDP is used.", "The same.", "virtual_server 10.0.0.1 80 { }", "Add `protocol TCP`.";
    PROTOCOL_FWMARK "protocol-fwmark" Warning General, "A protocol for a mark, which stands for all protocols; it is ignored.", "The same.", "virtual_server fwmark 1 {\n    protocol TCP", "Remove it.";
    OPS_PROTOCOL "ops-protocol" Warning General, "`ops` is for UDP and for marks; it is ignored.", "The same.", "protocol TCP\nops", "Remove it.";
    SUSPEND_FWMARK "suspend-fwmark" Warning General, "`ha_suspend` waits until the address is on this machine, and a mark has none; it is ignored.", "The same.", "virtual_server fwmark 1 {\n    ha_suspend", "Remove it.";
    PERSISTENCE_ZERO "persistence-zero" Warning InvalidNumber, "`persistence_timeout 0` is no timeout; persistence stays off.", "The same.", "persistence_timeout 0", "Remove the line.";
    PERSISTENCE_MASK "persistence-mask" Warning Fine, "A mask that is not ones followed by zeros, or 0: clients share a server by odd bits of their address. A bare number is taken as an address: 24 is 0.0.0.24.", "The same, without a word.", "persistence_granularity 24", "Write a mask: `persistence_granularity 255.255.255.0`.";
    QUORUM_REDUCED "quorum-reduced" Warning General, "A quorum above the sum of all weights can never be reached; the sum is used. It is 0 if all weights are.", "The same.", "quorum 3\nreal_server 10.0.1.1 80 { }", "Lower `quorum`, or raise `weight`.";
    HYSTERESIS_REDUCED "hysteresis-reduced" Warning General, "The hysteresis must be less than the quorum, or the quorum could not be lost; one less is used.", "The same; with a quorum of 0 it makes it 4294967295.", "quorum 2\nhysteresis 2", "Lower `hysteresis`.";
    SORRY_MISSING "sorry-missing" Warning General, "A setting of the sorry server without one; it is ignored.", "The same, and also when it stands before `sorry_server`.", "sorry_server_inhibit", "Add `sorry_server`.";
    SORRY_INHIBIT "sorry-inhibit" Warning General, "The sorry server is one of the real servers, too, and only one of them stays with weight 0 when it fails (inhibit_on_failure, sorry_server_inhibit). The kernel has one server for both: what the real server says counts.", "The same.", "sorry_server 10.0.1.1 80\nreal_server 10.0.1.1 80 {\n    inhibit_on_failure", "Say the same of both.";
    THRESHOLDS "thresholds" Error Fine, "A lower threshold above the upper one, or without one; it is ignored.", "Says nothing; the kernel then refuses the whole server.", "uthreshold 5\nlthreshold 10", "Make `lthreshold` less than `uthreshold`.";
    SERVER_GROUP_UNKNOWN "server-group-unknown" Error Fine, "A virtual server for a group that does not exist; it is left out, so its service does not exist.", "Says nothing under `-t`; the daemon logs it and leaves the virtual server out.", "virtual_server group wbe {", "Correct the name.";
    SERVER_GROUP_TWICE "server-group-twice" Error Fine, "A second virtual_server_group of the same name; it is left out.", "The same, without a word.", "virtual_server_group G { }\nvirtual_server_group G { }", "Rename one, or put all lines into one.";
    SERVER_GROUP_EMPTY "server-group-empty" Warning General, "A virtual_server_group without entries; it is left out.", "The same.", "virtual_server_group G { }", "Add addresses or marks.";
    SERVER_GROUP_LARGE "server-group-large" Error General fatal, "A virtual_server_group, or all virtual servers together, stand for more than 1048576 addresses. Each would be a service of the kernel.", "Makes them one by one for as long as memory lasts.", "virtual_server_group G {\n    10.0.0.0/8 80", "Use a firewall mark (fwmark) for so many addresses, or list those that are served.";
    SERVER_GROUP_ENTRY "server-group-entry" Error General, "A line of a virtual_server_group that is neither an address, a range, a prefix nor a mark; it is left out.", "The same.", "10.0.0.9-1 80", "Write `10.0.0.1-9 80`, `10.0.0.1-10.0.1.9 80`, `10.0.0.0/28 80` or `fwmark 1`.";
    CLIENTS_STAY "clients-stay" Info Fine, "Clients of a failed server stay with it: IPVS drops packets of UDP connections to a server that was removed until they time out, and with `inhibit_on_failure` persistent clients keep their server. Said once, of the first such virtual server.", "Says nothing; the kernel settings are the administrator's.", "virtual_server 10.0.0.1 53 {\n    protocol UDP", "Write `lvs_expire_failed` in global_defs, or `lvs_expire_failed off` if it is meant so.";
    SERVICE_SHARED "service-shared" Error General, "Two virtual servers name one service: an address and port, or a mark, stands in two groups, or alone and in a group. The kernel has one service for both. The settings of the first count there, and it gets the real servers of both.", "Says nothing; both virtual servers write into the same service, and remove each other's servers when a check fails.", "virtual_server_group G {\n    10.0.0.1-9 80\n}\nvirtual_server group G { }\nvirtual_server 10.0.0.5 80 { }", "Let each address and each mark stand in one group only.";
    SERVER_GROUP_FAMILY "server-group-family" Warning Fine, "A group with entries of both families and servers without tunnels: only the entries of one family can be served.", "Says nothing.", "virtual_server_group G {\n    10.0.0.1 80\n    2001:db8::1 80", "Make two groups.";
    // checks
    CHECK_INCOMPLETE "check-incomplete" Error General, "A check without what it needs: `misc_path`, a `url` with a `path`, `track_file`, `name`. It is left out, and a server without another check counts as up.", "The same; without url it may crash.", "HTTP_GET { }", "Add it.";
    CHECK_UNKNOWN "check-unknown" Error General, "A check names a track_file or bfd_instance that does not exist, does not tell checks, or is followed already; the check is left out, and a server without another check counts as up.", "The same; it also wants the definition to stand before the check.", "BFD_CHECK {\n    name b", "Correct the name.";
    CHECK_FAMILY "check-family" Error General, "`bindto` is of another family than the address to connect to; it is ignored.", "The same.", "connect_ip 10.0.1.1\nbindto 2001:db8::1", "Use an address of the same family.";
    CHECK_LINK_LOCAL "check-link-local" Error General, "A check of a link-local address must know the link; it is left out, and a server without another check counts as up.", "The same.", "connect_ip fe80::1", "Add `bind_if`.";
    CHECK_PORT "check-port" Warning Fine, "A check that connects has no port to connect to, so it will fail.", "Says nothing; the check fails.", "virtual_server fwmark 1 {\n    real_server 10.0.1.1 {\n        TCP_CHECK { }", "Add `connect_port`.";
    CHECK_SLOW "check-slow" Info Fine, "The attempts of a check take longer than its period: if the server does not answer at all, it stays in use for longer than `delay_loop` suggests.", "Says nothing.", "delay_loop 5\nconnect_timeout 10", "Lower `connect_timeout` or `retry`.";
    CHECK_TLS "check-tls" Warning Fine, "A check is to verify a certificate, but does not speak TLS.", "Does not have these words.", "GRPC_CHECK {\n    tls_verify", "Add `tls`.";
    URL_PATH "url-path" Error General, "A url without path; it is left out.", "The same.", "url {\n    status_code 200", "Add `path /`.";
    STATUS_CODE "status-code" Error General, "Not a status code or a range of them; it is ignored. Without any, 200 to 299 is good.", "The same.", "status_code 299-200", "Write `status_code 200-299 301`, with blanks between.";
    DIGEST "digest" Error General, "Not an MD5 sum of 32 hexadecimal digits; it is left out.", "The same.", "digest 1234", "Compute it with genhash.";
    REGEX "regex" Warning Fine, "A regex and its settings do not fit together, or one of them is not what it should be; it is ignored.", "The same, without a word.", "regex_options casless", "Correct it.";
    REGEX_INVALID "regex-invalid" Error Fine, "PCRE2 does not take this regex. The url is checked without it, so that any body will do.", "Logs it when it reads the file, and may crash when it checks.", "regex \"(a\"", "Correct it; in the file `\\\\` is one backslash.";
    REGEX_OPTION "regex-option" Warning Fine, "An option of PCRE2 that we cannot give it; the regex goes without: `allow_empty_class`, `alt_bsux`, `dollar_endonly`, `match_unset_backref`, `alt_circumflex`, `alt_verbnames`.", "Gives it to PCRE2.", "regex_options dollar_endonly", "Write the pattern so that it does not need it: `\\\\z` in place of `$` with dollar_endonly.";
    DNS_NAME "dns-name" Error General, "Not the name of a domain; it is left out.", "The same; it also refuses a dot at the end, and takes labels that are too long.", "name www..example.com", "Correct it.";
    HEX_INVALID "hex-invalid" Error General, "Not octets in hexadecimal digits; they are left out.", "The same.", "payload 0x01", "Write pairs of digits: `payload 01 ff`.";
    REPLY_LENGTH "reply-length" Warning General, "The least length of a reply is more than the greatest (255 if not given), so that none fits.", "The same.", "min_reply_length 300", "Set `max_reply_length`.";
    SSL_TWICE "ssl-twice" Warning General, "A second SSL block replaces the first as a whole.", "The same.", "SSL { }\nSSL { }", "Make them one.";
    // BFD
    BFD_NAME "bfd-name" Error General, "The name of a bfd_instance has more than 31 octets; it is left out.", "The same.", "bfd_instance a_name_that_goes_on_for_much_too_long { }", "Shorten it.";
    BFD_PROMOTES "bfd-promotes" Warning General, "bfd_promotes names a session that cannot be one with the master, or one that brings the instance into FAULT.", "It has no such keyword.", "bfd_promotes PATH", "Name a session with the other router's own address, and give its track_bfd a weight or none.";
    BFD_LINK "bfd-link" Warning Fine, "A bfd_instance with a link-local neighbour that does not say which interface it is on, or says two; or one that is multihop.", "Has no word for the interface, and cannot send to such a neighbour; `-t` says nothing.", "bfd_instance b {\n    neighbor_ip fe80::2\n}", "Write the interface behind the neighbour's address: `fe80::2%eth0`.";
    BFD_NEIGHBOR "bfd-neighbor" Error General, "A bfd_instance without neighbour, with a source of the other family, or with the addresses of another instance; it is left out.", "The same.", "bfd_instance b { }", "Add `neighbor_ip`.";
}
