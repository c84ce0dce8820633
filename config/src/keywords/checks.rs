//! Health checkers. One row per keyword; see `Keyword` for the columns.

use super::{Keyword, rows};

rows! {
    in "virtual_server/real_server/MISC_CHECK" {
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
        "misc_path", "COMMAND (quoted ok)", "required", "missing script not reported by -t", "", "Script to run", "check" => Keyword, Accepted, missing Error;
        "misc_timeout", "SECS (uint)", "virtual server delay_loop (dump shows 0)", "0..4294", "", "Script timeout", "check" => Keyword, Accepted;
        "misc_dynamic", "none", "off", "", "", "Exit status 2..255 sets weight to status - 2", "check" => Keyword, Accepted;
        "user", "USER [[:]GROUP]", "script_user", "", "", "User running the script", "check" => Keyword, Accepted, missing Error;
    }
    in "virtual_server/real_server/SMTP_CHECK" {
        "helo_name", "STRING", "smtpchecker.keepalived.org", "", "", "HELO argument", "check" => Keyword, Accepted, missing Error;
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family checked only against an earlier connect_ip", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
        "host", "{ common keywords }", "", "", "deprecated block, one checker per host", "Additional connection target", "check" => Keyword, Deprecated("one SMTP_CHECK per host", Reported, Accepted);
    }
    in "virtual_server/real_server/SMTP_CHECK/host" {
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family checked only against an earlier connect_ip", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
    }
    in "virtual_server/real_server/TCP_CHECK" {
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family must match", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
    }
    in "virtual_server/real_server/PING_CHECK" {
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family must match", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
    }
    in "virtual_server/real_server/UDP_CHECK" {
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family must match", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
        "payload", "HEX STRING", "random data", "hex digits, spaces allowed", "", "Datagram to send", "check" => Keyword, Accepted, missing Error;
        "require_reply", "[HEX STRING with x wildcards]", "off", "X nibble = ignore", "", "Require a reply, optionally matching", "check" => Keyword, Accepted;
        "min_reply_length", "N", "0", "0..65535; above max_reply_length warns", "", "Minimum reply size", "check" => Keyword, Accepted;
        "max_reply_length", "N", "255", "0..65535", "", "Maximum reply size", "check" => Keyword, Accepted;
    }
    in "virtual_server/real_server/HTTP_GET" {
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family must match", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
        "nb_get_retry", "N", "1", "0..UINT_MAX", "deprecated, use retry (reports, -t exit 5)", "Retry count", "check" => Keyword, Deprecated("retry", Reported, Accepted);
        "virtualhost", "STRING", "real/virtual server's", "", "", "Host header for all urls", "check" => Keyword, Accepted, missing Error;
        "http_protocol", "1.0, 1.0C, 1.0c or 1.1", "1.0", "", "", "Request version; C adds Connection: close", "check" => Keyword, Accepted;
        "enable_sni", "[BOOL]", "off", "BOOL", "", "Send SNI from virtualhost", "ssl" => Keyword, Accepted;
        "sni_name", "[NAME]", "virtualhost", "", "", "SNI value; implies enable_sni", "ssl" => Keyword, Accepted;
        "fast_recovery", "[BOOL]", "off", "BOOL", "", "No delay between urls at start and recovery", "check" => Keyword, Accepted;
        "url", "{ block }", "", "", "", "A url to fetch", "check" => Keyword, Accepted;
    }
    in "virtual_server/real_server/HTTP_GET/url" {
        "path", "STRING", "required", "no leading / required", "", "Request path", "check" => Keyword, Accepted;
        "digest", "HEX", "none", "32 hex digits (MD5)", "", "Expected MD5 of body", "check" => Keyword, Accepted;
        "status_code", "CODE or RANGE ...", "200-299", "100..599", "", "Accepted status codes", "check" => Keyword, Accepted, missing Ignored;
        "virtualhost", "STRING", "checker's", "", "", "Host header for this url", "check" => Keyword, Accepted, missing Error;
        "regex", "STRING (quoted, escapes)", "none", "PCRE2, exactly one; a bad pattern is not reported by -t", "", "Body must match", "check" => Keyword, Accepted, missing Error;
        "regex_no_match", "none", "off", "without regex not reported", "", "Invert regex result", "check" => Keyword, Accepted;
        "regex_options", "NAME ...", "none", "allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames extended firstline match_unset_backref multiline never_ucp never_utf no_auto_capture no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c alt_circumflex alt_verbnames use_offset_limit", "unknown words silently ignored", "PCRE2 compile options", "check" => Keyword, Accepted, missing Ignored;
        "regex_min_offset", "BYTES", "0", "bad or missing values not reported by -t", "", "First body offset searched", "check" => Keyword, Accepted, missing Ignored;
        "regex_max_offset", "BYTES", "none", "> min; bad or missing values not reported by -t", "", "Last body offset where a match may start", "check" => Keyword, Accepted, missing Ignored;
        "regex_stack", "START MAX", "none", "START <= MAX; bad or missing values not reported by -t", "", "JIT stack sizes", "check" => Keyword, Accepted, missing Ignored;
    }
    in "virtual_server/real_server/SSL_GET" {
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family must match", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
        "nb_get_retry", "N", "1", "0..UINT_MAX", "deprecated, use retry (reports, -t exit 5)", "Retry count", "check" => Keyword, Deprecated("retry", Reported, Accepted);
        "virtualhost", "STRING", "real/virtual server's", "", "", "Host header for all urls", "check" => Keyword, Accepted, missing Error;
        "http_protocol", "1.0, 1.0C, 1.0c or 1.1", "1.0", "", "", "Request version; C adds Connection: close", "check" => Keyword, Accepted;
        "enable_sni", "[BOOL]", "off", "BOOL", "", "Send SNI from virtualhost", "ssl" => Keyword, Accepted;
        "sni_name", "[NAME]", "virtualhost", "", "", "SNI value; implies enable_sni", "ssl" => Keyword, Accepted;
        "fast_recovery", "[BOOL]", "off", "BOOL", "", "No delay between urls at start and recovery", "check" => Keyword, Accepted;
        "tls_compliant", "[BOOL]", "off", "BOOL", "SSL_GET only", "Send close_notify on shutdown", "ssl" => Keyword, Accepted;
        "url", "{ block }", "", "", "", "A url to fetch", "check" => Keyword, Accepted;
    }
    in "virtual_server/real_server/SSL_GET/url" {
        "path", "STRING", "required", "no leading / required", "", "Request path", "check" => Keyword, Accepted;
        "digest", "HEX", "none", "32 hex digits (MD5)", "", "Expected MD5 of body", "check" => Keyword, Accepted;
        "status_code", "CODE or RANGE ...", "200-299", "100..599", "", "Accepted status codes", "check" => Keyword, Accepted, missing Ignored;
        "virtualhost", "STRING", "checker's", "", "", "Host header for this url", "check" => Keyword, Accepted, missing Error;
        "regex", "STRING (quoted, escapes)", "none", "PCRE2, exactly one; a bad pattern is not reported by -t", "", "Body must match", "check" => Keyword, Accepted, missing Error;
        "regex_no_match", "none", "off", "without regex not reported", "", "Invert regex result", "check" => Keyword, Accepted;
        "regex_options", "NAME ...", "none", "allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames extended firstline match_unset_backref multiline never_ucp never_utf no_auto_capture no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c alt_circumflex alt_verbnames use_offset_limit", "unknown words silently ignored", "PCRE2 compile options", "check" => Keyword, Accepted, missing Ignored;
        "regex_min_offset", "BYTES", "0", "bad or missing values not reported by -t", "", "First body offset searched", "check" => Keyword, Accepted, missing Ignored;
        "regex_max_offset", "BYTES", "none", "> min; bad or missing values not reported by -t", "", "Last body offset where a match may start", "check" => Keyword, Accepted, missing Ignored;
        "regex_stack", "START MAX", "none", "START <= MAX; bad or missing values not reported by -t", "", "JIT stack sizes", "check" => Keyword, Accepted, missing Ignored;
        "tls_compliant", "[BOOL]", "off", "BOOL", "SSL_GET only", "Send close_notify for this url", "ssl" => Keyword, Accepted;
    }
    in "virtual_server/real_server/DNS_CHECK" {
        "connect_ip", "IP", "real server address", "any", "", "Address to connect to", "check" => Keyword, Accepted;
        "connect_port", "PORT", "real server port", "1..65535", "", "Port to connect to", "check" => Keyword, Accepted;
        "bindto", "IP", "none", "family must match", "", "Source address", "check" => Keyword, Accepted;
        "bind_port", "PORT", "ephemeral", "1..65535", "", "Source port", "check" => Keyword, Accepted;
        "bind_if", "IFNAME", "none", "max 15 chars, existence not checked; required for IPv6 link-local target", "", "Bind socket to device", "check" => Keyword, Accepted;
        "connect_timeout", "SECS (decimal)", "real server's, 5", "0.000001..4294.967295", "", "Connection and I/O timeout", "check" => Keyword, Accepted;
        "fwmark", "N", "0", "0..UINT_MAX", "", "SO_MARK of check packets", "check" => Keyword, Accepted;
        "retry", "N", "real server's, else 1 (DNS 3, MISC 0)", "0..UINT_MAX", "", "Extra attempts before server is failed", "check" => Keyword, Accepted;
        "delay_before_retry", "SECS (decimal)", "real server's, else 1 (HTTP/SSL 3, DNS delay_loop)", ">= 0", "", "Delay before retry", "check" => Keyword, Accepted;
        "warmup", "SECS (decimal)", "real server's, else delay_loop", ">= 0; 0 disables", "", "Maximum random delay of first check", "check" => Keyword, Accepted;
        "delay_loop", "SECS (decimal)", "real server's, 60", "> 0", "", "Check period", "check" => Keyword, Accepted;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down until first success", "check" => Keyword, Accepted;
        "log_all_failures", "[BOOL]", "off", "BOOL", "", "Log every failed attempt while up", "check" => Keyword, Accepted;
        "type", "NAME", "SOA", "A NS CNAME SOA MX TXT AAAA (case-insensitive)", "", "Query type", "check" => Keyword, Accepted;
        "name", "DOMAIN", "root (.)", "no empty labels; given once", "", "Query name", "check" => Keyword, Accepted;
    }
    in "virtual_server/real_server/FILE_CHECK" {
        "track_file", "NAME", "required", "defined earlier track_file", "", "File supplying status", "check" => Keyword, Accepted;
        "weight", "N [reverse/noreverse]", "track_file's weight", "-2147483647..2147483647", "", "Multiplier of file value", "check" => Keyword, Accepted, missing Error;
    }
    in "virtual_server/real_server/BFD_CHECK" {
        "name", "NAME", "required", "max 31 chars; bfd_instance defined earlier", "", "BFD session followed", "bfd" => Keyword, Accepted, missing Error;
        "alpha", "[BOOL]", "real server's", "BOOL", "", "Assume down at start", "bfd" => Keyword, Accepted;
    }
}
