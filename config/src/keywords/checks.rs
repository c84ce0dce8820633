//! Health checkers. One row per keyword; see `Keyword` for the columns.

use super::value::{LONGEST, Value, int, seconds};
use super::{Keyword, Table, rows};

const MISC: &str = "virtual_server/real_server/MISC_CHECK";
const SMTP: &str = "virtual_server/real_server/SMTP_CHECK";
const SMTP_HOST: &str = "virtual_server/real_server/SMTP_CHECK/host";
const TCP: &str = "virtual_server/real_server/TCP_CHECK";
const PING: &str = "virtual_server/real_server/PING_CHECK";
const UDP: &str = "virtual_server/real_server/UDP_CHECK";
const HTTP: &str = "virtual_server/real_server/HTTP_GET";
const SSL: &str = "virtual_server/real_server/SSL_GET";
const HTTP_URL: &str = "virtual_server/real_server/HTTP_GET/url";
const SSL_URL: &str = "virtual_server/real_server/SSL_GET/url";
const HTTP2: &str = "virtual_server/real_server/HTTP2_GET";
const HTTP2_URL: &str = "virtual_server/real_server/HTTP2_GET/url";
const GRPC: &str = "virtual_server/real_server/GRPC_CHECK";
const DNS: &str = "virtual_server/real_server/DNS_CHECK";
const FILE: &str = "virtual_server/real_server/FILE_CHECK";
const BFD: &str = "virtual_server/real_server/BFD_CHECK";

rows! {
    in MISC, SMTP, SMTP_HOST, TCP, PING, UDP, HTTP, SSL, HTTP2, GRPC, DNS => {
        "retry", "N", int(0, 4_294_967_295), "the server's, else 1 (DNS_CHECK 3, MISC_CHECK 0)", "", "", "Failures that are forgiven", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block", details "A server that is up is forgiven so many failures in a row; on the first check, and while it is down, none.";
        "delay_before_retry", "SECONDS", seconds(0, LONGEST), "the server's, else 1 (HTTP_GET, SSL_GET and HTTP2_GET 3, DNS_CHECK delay_loop)", "", "", "Seconds before a failed check is made again", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "warmup", "SECONDS", seconds(0, LONGEST), "the server's, else delay_loop", "", "", "Seconds over which the first check is put off by chance", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block", details "Spreads the first checks after a start; 0 begins with all at once.";
        "delay_loop", "SECONDS", seconds(1, LONGEST), "the server's, else 60", "", "", "Seconds from one check to the next", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "alpha", "[BOOL]", Value::Switch, "the server's", "", "", "Down until it succeeds", "check" => Keyword, Effective, shown "checker::servers_may_have_to_prove_themselves_first";
        "log_all_failures", "[BOOL]", Value::Switch, "off", "", "", "Log every failed attempt", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
    }
    in MISC => {
        "misc_path", "COMMAND", Value::Command, "required", "", "", "What is run; exit status 0 is success", "check" => Keyword, Effective, missing Error, shown "checker::a_program_is_given_its_time_and_its_user";
        "misc_timeout", "WHOLE_SECONDS", int(0, 4294), "delay_loop of the virtual server", "", "", "Seconds after which it is ended", "check" => Keyword, Effective, shown "checker::a_program_is_given_its_time_and_its_user", details "Then it gets SIGTERM, a little later SIGKILL, and has failed.";
        "misc_dynamic", "none", Value::None, "off", "", "", "Exit status 2 to 255 is success, too, and sets the weight to status - 2", "check" => Keyword, Effective, shown "checker::a_program_is_given_its_time_and_its_user";
        "user", "USER [[:]GROUP]", Value::Words, "script_user", "", "", "User, and group, that runs it", "check" => Keyword, Effective, missing Error, shown "checker::a_program_is_given_its_time_and_its_user";
    }
    in SMTP => {
        "helo_name", "STRING", Value::Text, "smtpchecker.keepalived.org", "", "", "Name that we greet the server with", "check" => Keyword, Effective, twice Last, missing Error, shown "dialogues::a_server_greets_and_says_goodbye";
        "host", "{ common keywords }", Value::Block, "", "", "", "Another place to check", "check" => Keyword, Deprecated("one SMTP_CHECK per host", Silent, Effective), shown "checker::hosts_of_an_smtp_check_are_checks_of_their_own";
    }
    in SMTP, SMTP_HOST, TCP, PING, UDP, HTTP, SSL, HTTP2, GRPC, DNS => {
        "connect_ip", "IP", Value::Address, "the server's", "", "", "Address to check", "check" => Keyword, Effective, shown "dialogues::it_connects";
        "connect_port", "PORT", int(1, 65_535), "the server's", "", "", "Port to check", "check" => Keyword, Effective, shown "dialogues::it_connects";
        "bind_port", "PORT", int(1, 65_535), "any", "", "", "Port to check from", "check" => Keyword, Effective, shown "dialogues::it_comes_from_where_it_is_told";
        "bind_if", "IFNAME", Value::Interface, "none", "needed for a link-local address", "", "Interface to check through", "check" => Keyword, Effective, shown "dialogues::it_leaves_through_the_interface_with_the_mark";
        "connect_timeout", "SECONDS", seconds(1, 4_294_967_295), "the server's, else 5", "", "", "Seconds that a connection may take", "check" => Keyword, Effective, shown "checker::the_pace_of_checks_is_that_of_the_nearest_block", details "For HTTP, SMTP and DNS also each wait for an answer.";
        "fwmark", "N", int(0, 4_294_967_295), "0", "", "", "Firewall mark of our packets", "check" => Keyword, Effective, shown "dialogues::it_leaves_through_the_interface_with_the_mark";
    }
    in SMTP, SMTP_HOST => {
        "bindto", "IP", Value::Address, "none", "of the server's family", "", "Address to check from", "check" => Keyword, Effective, shown "dialogues::it_comes_from_where_it_is_told";
    }
    in TCP, PING, UDP, HTTP, SSL, HTTP2, GRPC, DNS => {
        "bindto", "IP", Value::Address, "none", "of the server's family", "", "Address to check from", "check" => Keyword, Effective, shown "dialogues::it_comes_from_where_it_is_told";
    }
    in UDP => {
        "payload", "HEX STRING", Value::Words, "a text", "pairs of hexadecimal digits, blanks allowed", "", "What is sent", "check" => Keyword, Effective, missing Error, shown "dialogues::a_datagram_is_not_refused";
        "require_reply", "[HEX STRING with x wildcards]", Value::Words, "off", "x stands for any digit", "", "Demand an answer, perhaps this one", "check" => Keyword, Effective, shown "dialogues::a_reply_is_compared", details "Without it silence is success: only an ICMP error fails, which needs a route and a host that answers.";
        "min_reply_length", "N", int(0, 65_535), "0", "not above max_reply_length", "", "Least octets of an answer", "check" => Keyword, Effective, shown "dialogues::a_reply_is_compared";
        "max_reply_length", "N", int(0, 65_535), "255", "", "", "Most octets of an answer", "check" => Keyword, Effective, shown "dialogues::a_reply_is_compared";
    }
    in HTTP, SSL => {
        "nb_get_retry", "N", int(0, 4_294_967_295), "1", "", "", "Failures that are forgiven", "check" => Keyword, Deprecated("retry", Reported, Effective), shown "checker::the_pace_of_checks_is_that_of_the_nearest_block";
        "http_protocol", "1.0, 1.0C, 1.0c or 1.1", Value::Choice(&["1.0", "1.0C", "1.0c", "1.1"]), "1.0", "", "", "Version of HTTP; with C, and with 1.1, we ask to close the connection", "check" => Keyword, Effective, shown "requests::a_request_is_the_one_of_keepalived";
        "enable_sni", "[BOOL]", Value::Switch, "off", "", "", "Name virtualhost in the TLS handshake (SNI)", "ssl" => Keyword, Effective, shown "dialogues::the_name_is_sent_if_it_is_wanted";
        "sni_name", "[NAME]", Value::Text, "virtualhost", "", "", "Name in the TLS handshake; turns on enable_sni", "ssl" => Keyword, Effective, since "2.4.4", shown "dialogues::the_name_is_sent_if_it_is_wanted";
    }
    in HTTP, SSL, HTTP2 => {
        "fast_recovery", "[BOOL]", Value::Switch, "off", "", "", "At start and when it recovers check all urls at once, instead of one each delay_loop", "check" => Keyword, Effective, shown "pace::fast_recovery_leaves_out_the_pauses";
        "url", "{ block }", Value::Block, "", "", "", "A url to fetch", "check" => Keyword, Effective, shown "pace::urls_are_asked_one_after_another";
    }
    in HTTP, SSL, HTTP2, GRPC => {
        "virtualhost", "STRING", Value::Text, "the server's", "", "", "Host that is asked for", "check" => Keyword, Effective, twice Last, missing Error, shown "checker::a_page_is_asked_for_with_the_nearest_host";
    }
    in HTTP2, GRPC => {
        "tls", "[BOOL]", Value::Switch, "off", "", "", "Speak TLS; the server must know HTTP/2 there (ALPN h2) (not a keyword of keepalived)", "ours" => Keyword, Effective, shown "dialogues::a_page_is_fetched_with_and_without_tls";
        "enable_sni", "[BOOL]", Value::Switch, "on", "", "", "Name virtualhost in the TLS handshake (SNI) (not a keyword of keepalived)", "ours" => Keyword, Effective, shown "dialogues::the_name_is_sent_if_it_is_wanted";
        "sni_name", "[NAME]", Value::Text, "virtualhost", "", "", "Name in the TLS handshake (not a keyword of keepalived)", "ours" => Keyword, Effective, shown "dialogues::the_name_is_sent_if_it_is_wanted";
    }
    in SSL, HTTP2, GRPC => {
        "tls_verify", "[BOOL]", Value::Switch, "tls_verify of SSL, else off", "", "", "Fail a server whose certificate is not good for it (not a keyword of keepalived)", "ours" => Keyword, Effective, shown "dialogues::authorities_are_asked_if_that_is_wanted", details "`ca` of the block SSL, or an authority that this system trusts, must have signed it, it must be valid now, and for the name in the handshake (sni_name, else virtualhost), or else for the address. It turns on enable_sni.";
    }
    in GRPC => {
        "service", "NAME", Value::Text, "the server as a whole", "", "", "Service that is asked about (not a keyword of keepalived)", "ours" => Keyword, Effective, missing Error, shown "dialogues::a_grpc_server_says_how_it_is";
    }
    in HTTP_URL, SSL_URL, HTTP2_URL => {
        "path", "STRING", Value::Text, "required", "need not begin with /", "", "What is asked for", "check" => Keyword, Effective, twice Last, shown "requests::a_request_is_the_one_of_keepalived";
        "digest", "HEX", Value::Words, "none", "32 hexadecimal digits", "", "MD5 of the page", "check" => Keyword, Effective, twice First, shown "dialogues::the_digest_is_that_of_the_body", details "`genhash` computes it; of the body as it was sent, limited by Content-Length.";
        "status_code", "CODE or RANGE ...", Value::Words, "200-299", "100 to 599; ranges as 200-299", "", "Status codes that are good", "check" => Keyword, Effective, twice Each, missing Ignored, shown "dialogues::the_status_is_judged", details "Words with blanks between; several lines add up.";
        "virtualhost", "STRING", Value::Text, "the check's", "", "", "Host that is asked for", "check" => Keyword, Effective, twice Last, missing Error, shown "checker::a_page_is_asked_for_with_the_nearest_host";
        "regex", "PATTERN", Value::Words, "none", "of PCRE2; one", "", "What the page must match", "check" => Keyword, Effective, twice Last, missing Error, shown "dialogues::the_regex_looks_at_the_body", details "Escapes are resolved once: `\\\\.` in the file is a dot that stands for itself.";
        "regex_no_match", "none", Value::None, "off", "needs regex", "", "What it must not match", "check" => Keyword, Effective, shown "pattern::regex_no_match_turns_the_verdict_round";
        "regex_options", "NAME ...", Value::Words, "none", "allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames extended firstline match_unset_backref multiline never_ucp never_utf no_auto_capture no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c alt_circumflex alt_verbnames use_offset_limit", "", "Options of PCRE2; unknown ones are left out", "check" => Keyword, Effective, twice Each, missing Ignored, shown "pattern::an_option_that_we_cannot_give_is_named";
        "regex_min_offset", "BYTES", int(0, 4_294_967_295), "0", "", "", "Octet of the page from which it may match", "check" => Keyword, Effective, missing Ignored, shown "pattern::offsets_bound_where_a_match_starts";
        "regex_max_offset", "BYTES", int(0, 4_294_967_295), "none", "above regex_min_offset", "", "Octet up to which a match may begin", "check" => Keyword, Effective, missing Ignored, shown "pattern::offsets_bound_where_a_match_starts";
        "regex_stack", "START MAX", Value::Words, "none", "START not above MAX", "", "Sizes of the stack of PCRE2", "check" => Keyword, Effective, missing Ignored, shown "pattern::regex_stack_gives_room", details "In octets. It starts with what it needs; MAX counts if it is more than 524288, which patterns have in any case.";
    }
    in SSL => {
        "tls_compliant", "[BOOL]", Value::Switch, "off", "", "", "Say goodbye as TLS demands (close_notify)", "ssl" => Keyword, Effective, since "2.2.8", shown "dialogues::a_goodbye_is_said_if_it_is_wanted";
    }
    in SSL_URL => {
        "tls_compliant", "[BOOL]", Value::Switch, "off", "", "", "Say goodbye as TLS demands (close_notify)", "ssl" => Keyword, Effective, shown "dialogues::a_goodbye_is_said_if_it_is_wanted";
    }
    in DNS => {
        "type", "NAME", Value::Choice(&["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"]), "SOA", "in any case", "", "What is asked for", "check" => Keyword, Effective, shown "dialogues::a_name_server_answers";
        "name", "DOMAIN", Value::Words, "root (.)", "once; no empty parts", "", "Name that is asked for", "check" => Keyword, Effective, twice First, shown "dialogues::a_name_server_answers";
    }
    in FILE => {
        "track_file", "NAME", Value::Text, "required", "one that is defined", "", "The file", "check" => Keyword, Effective, shown "checker::a_number_in_a_file_adds_to_the_weight";
        "weight", "N [reverse/noreverse]", Value::Words, "the file's", "-2147483647 to 2147483647", "", "What its number is multiplied with", "check" => Keyword, Effective, missing Error, shown "checker::a_number_in_a_file_adds_to_the_weight";
    }
    in BFD => {
        "name", "NAME", Value::Text, "required", "one that is defined", "", "The session", "bfd" => Keyword, Effective, missing Error, shown "bfd::a_real_server_follows_a_session";
        "alpha", "[BOOL]", Value::Switch, "the server's", "", "", "Down until the session is up", "bfd" => Keyword, Effective, shown "bfd::a_real_server_follows_a_session";
    }
}
