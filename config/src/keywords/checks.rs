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
const DNS: &str = "virtual_server/real_server/DNS_CHECK";
const FILE: &str = "virtual_server/real_server/FILE_CHECK";
const BFD: &str = "virtual_server/real_server/BFD_CHECK";

rows! {
    in MISC, SMTP, SMTP_HOST, TCP, PING, UDP, HTTP, SSL, DNS => {
        "retry", "N", int(0, 4_294_967_295), "real server's, else 1 (DNS 3, MISC 0)", "", "", "Extra attempts before server is failed", "check" => Keyword, Accepted, details "A server that is up is forgiven so many failures in a row; on the first check, and while it is down, none.";
        "delay_before_retry", "SECS (decimal)", seconds(0, LONGEST), "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", "", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", seconds(0, LONGEST), "real server's, else delay_loop", "0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted, details "Spreads the first checks after a start; 0 begins with all at once.";
        "delay_loop", "SECS (decimal)", seconds(1, LONGEST), "real server's, 60", "", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", Value::Switch, "real server's", "", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", Value::Switch, "off", "", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
    }
    in MISC => {
        "misc_path", "COMMAND (quoted ok)", Value::Command, "required", "missing script not reported by -t", "", "Script to run", "check" => Keyword, Accepted, missing Error;
        "misc_timeout", "SECS (uint)", int(0, 4294), "virtual server delay_loop (dump shows 0)", "", "", "Script timeout", "check" => Keyword, Accepted, details "Then it gets SIGTERM, a little later SIGKILL, and has failed.";
        "misc_dynamic", "none", Value::None, "off", "", "", "Exit status 2..255 sets weight to status - 2", "check" => Keyword, Accepted;
        "user", "USER [[:]GROUP]", Value::Words, "script_user", "", "", "User running the script", "check" => Keyword, Accepted, missing Error;
    }
    in SMTP => {
        "helo_name", "STRING", Value::Text, "smtpchecker.keepalived.org", "", "", "HELO argument", "check" => Keyword, Accepted, missing Error;
        "host", "{ common keywords }", Value::Block, "", "", "deprecated block, one checker per host", "Additional connection target", "check" => Keyword, Deprecated("one SMTP_CHECK per host", Silent, Accepted);
    }
    in SMTP, SMTP_HOST, TCP, PING, UDP, HTTP, SSL, DNS => {
        "connect_ip", "IP", Value::Address, "real server address", "", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", int(1, 65_535), "real server port", "", "", "Port to connect to", "check" => Keyword, Accepted;
        "bind_port", "PORT", int(1, 65_535), "ephemeral", "", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", Value::Interface, "none", "existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", seconds(1, 4_294_967_295), "real server's, 5", "", "", "Connection and I/O timeout", "check" => Keyword, Accepted, details "For HTTP, SMTP and DNS also each wait for an answer.";
        "fwmark", "N", int(0, 4_294_967_295), "0", "", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
    }
    in SMTP, SMTP_HOST => {
        "bindto", "IP", Value::Address, "none", "family checked only against an earlier connect_ip", "", "Source address", "check" => Keyword, Accepted;
    }
    in TCP, PING, UDP, HTTP, SSL, DNS => {
        "bindto", "IP", Value::Address, "none", "family must match", "", "Source address", "check" => Keyword, Accepted;
    }
    in UDP => {
        "payload", "HEX STRING", Value::Words, "random data", "hex digits, spaces allowed", "", "Datagram to send", "check" => Keyword, Accepted, missing Error;
        "require_reply", "[HEX STRING with x wildcards]", Value::Words, "off", "X nibble = ignore", "", "Require a reply, optionally matching", "check" => Keyword, Accepted, details "Without it silence is success: only an ICMP error fails, which needs a route and a host that answers.";
        "min_reply_length", "N", int(0, 65_535), "0", "above max_reply_length warns", "", "Minimum reply size", "check" => Keyword, Accepted;
        "max_reply_length", "N", int(0, 65_535), "255", "", "", "Maximum reply size", "check" => Keyword, Accepted;
    }
    in HTTP, SSL => {
        "nb_get_retry", "N", int(0, 4_294_967_295), "1", "", "deprecated, use retry (reports, -t exit 5)", "Retry count", "check" => Keyword, Deprecated("retry", Reported, Accepted);
        "virtualhost", "STRING", Value::Text, "real/virtual server's", "", "", "Host header for all urls", "check" => Keyword, Accepted, missing Error;
        "http_protocol", "1.0, 1.0C, 1.0c or 1.1", Value::Choice(&["1.0", "1.0C", "1.0c", "1.1"]), "1.0", "", "", "Request version; C adds Connection: close", "check" => Keyword, Accepted;
        "enable_sni", "[BOOL]", Value::Switch, "off", "", "", "Send SNI from virtualhost", "ssl" => Keyword, Accepted;
        "sni_name", "[NAME]", Value::Text, "virtualhost", "", "", "SNI value; implies enable_sni", "ssl" => Keyword, Accepted, since "2.4.4";
        "fast_recovery", "[BOOL]", Value::Switch, "off", "", "", "No delay between urls at start and recovery", "check" => Keyword, Accepted;
        "url", "{ block }", Value::Block, "", "", "", "A url to fetch", "check" => Keyword, Accepted;
    }
    in HTTP_URL, SSL_URL => {
        "path", "STRING", Value::Text, "required", "no leading / required", "", "Request path", "check" => Keyword, Accepted;
        "digest", "HEX", Value::Words, "none", "32 hex digits (MD5)", "", "Expected MD5 of body", "check" => Keyword, Accepted, details "`genhash` computes it; of the body as it was sent, limited by Content-Length.";
        "status_code", "CODE or RANGE ...", Value::Words, "200-299", "100..599", "", "Accepted status codes", "check" => Keyword, Accepted, missing Ignored, details "Words with blanks between; several lines add up.";
        "virtualhost", "STRING", Value::Text, "checker's", "", "", "Host header for this url", "check" => Keyword, Accepted, missing Error;
        "regex", "STRING (quoted, escapes)", Value::Words, "none", "PCRE2, exactly one; a bad pattern is not reported by -t", "", "Body must match", "check" => Keyword, Accepted, missing Error, details "Escapes are resolved once: `\\\\.` in the file is a dot that stands for itself.";
        "regex_no_match", "none", Value::None, "off", "without regex not reported", "", "Invert regex result", "check" => Keyword, Accepted;
        "regex_options", "NAME ...", Value::Words, "none", "allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames extended firstline match_unset_backref multiline never_ucp never_utf no_auto_capture no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c alt_circumflex alt_verbnames use_offset_limit", "unknown words silently ignored", "PCRE2 compile options", "check" => Keyword, Accepted, missing Ignored;
        "regex_min_offset", "BYTES", int(0, 4_294_967_295), "0", "bad or missing values not reported by -t", "", "First body offset searched", "check" => Keyword, Accepted, missing Ignored;
        "regex_max_offset", "BYTES", int(0, 4_294_967_295), "none", "> min; bad or missing values not reported by -t", "", "Last body offset where a match may start", "check" => Keyword, Accepted, missing Ignored;
        "regex_stack", "START MAX", Value::Words, "none", "START <= MAX; bad or missing values not reported by -t", "", "JIT stack sizes", "check" => Keyword, Accepted, missing Ignored;
    }
    in SSL => {
        "tls_compliant", "[BOOL]", Value::Switch, "off", "", "SSL_GET only", "Send close_notify on shutdown", "ssl" => Keyword, Accepted, since "2.2.8";
    }
    in SSL_URL => {
        "tls_compliant", "[BOOL]", Value::Switch, "off", "", "SSL_GET only", "Send close_notify for this url", "ssl" => Keyword, Accepted;
    }
    in DNS => {
        "type", "NAME", Value::Choice(&["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"]), "SOA", "case-insensitive", "", "Query type", "check" => Keyword, Accepted;
        "name", "DOMAIN", Value::Words, "root (.)", "no empty labels; given once", "", "Query name", "check" => Keyword, Accepted;
    }
    in FILE => {
        "track_file", "NAME", Value::Text, "required", "defined earlier track_file", "", "File supplying status", "check" => Keyword, Accepted;
        "weight", "N [reverse/noreverse]", Value::Words, "track_file's weight", "-2147483647..2147483647", "", "Multiplier of file value", "check" => Keyword, Accepted, missing Error;
    }
    in BFD => {
        "name", "NAME", Value::Text, "required", "max 31 chars; bfd_instance defined earlier", "", "BFD session followed", "bfd" => Keyword, Accepted, missing Error;
        "alpha", "[BOOL]", Value::Switch, "real server's", "", "", "Assume down at start", "bfd" => Keyword, Accepted;
    }
}
