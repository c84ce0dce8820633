//! Checks. Expected values: keepalived.conf(5) and keywords.tsv.

use super::Case;

/// What several kinds of check have in common, for the check `$block`, which is `$kind` in the model.
macro_rules! common {
    ($block:literal, $kind:literal, $(($keyword:literal, $text:literal, $at:literal, $expected:literal)),+ $(,)?) => {
        &[$((
            concat!("virtual_server/real_server/", $block),
            $keyword,
            $text,
            concat!("/virtual_servers/0/real_servers/0/checkers/0/", $kind, "/", $at),
            $expected,
        )),+]
    };
}

macro_rules! timing {
    ($block:literal, $kind:literal) => {
        common!(
            $block,
            $kind,
            ("retry", "retry 7", "schedule/retry", "7"),
            ("delay_before_retry", "delay_before_retry 2.5", "schedule/delay_before_retry", "2500000"),
            ("warmup", "warmup 0", "schedule/warmup", "0"),
            ("delay_loop", "delay_loop 100", "schedule/delay_loop", "100000000"),
            ("alpha", "alpha", "schedule/alpha", "true"),
            ("log_all_failures", "log_all_failures yes", "schedule/log_all_failures", "true"),
        )
    };
}

macro_rules! connection {
    ($block:literal, $kind:literal) => {
        common!(
            $block,
            $kind,
            ("connect_ip", "connect_ip 2001:db8::7", "endpoint/address", "\"2001:db8::7\""),
            ("connect_port", "connect_port 65535", "endpoint/port", "65535"),
            ("bindto", "bindto 10.0.0.7", "endpoint/origin/address", "\"10.0.0.7\""),
            ("bind_port", "bind_port 1", "endpoint/origin/port", "1"),
            ("bind_if", "bind_if eth0", "endpoint/origin/interface", "\"eth0\""),
            ("connect_timeout", "connect_timeout 2", "endpoint/connect_timeout", "2000000"),
            ("fwmark", "fwmark 4294967295", "endpoint/origin/fwmark", "4294967295"),
        )
    };
}

macro_rules! http {
    ($block:literal) => {
        common!(
            $block,
            "Http",
            ("nb_get_retry", "nb_get_retry 4", "schedule/retry", "4"),
            ("virtualhost", "virtualhost www.example", "virtualhost", "\"www.example\""),
            ("http_protocol", "http_protocol 1.0C", "protocol", "\"V1_0Close\""),
            ("http_protocol", "http_protocol 1.0c", "protocol", "\"V1_0Close\""),
            ("http_protocol", "http_protocol 1.1", "protocol", "\"V1_1\""),
            ("enable_sni", "enable_sni", "sni", "\"Host\""),
            ("sni_name", "sni_name a.example", "sni", r#"{"Name":"a.example"}"#),
            ("sni_name", "sni_name", "sni", "\"Host\""),
            ("fast_recovery", "fast_recovery", "fast_recovery", "true"),
            ("url", "url {\npath /second\n}", "urls/1/path", "\"/second\""),
        )
    };
}

/// What ours say that speak TLS if they are told to.
macro_rules! tls {
    ($block:literal, $kind:literal) => {
        common!(
            $block,
            $kind,
            ("virtualhost", "virtualhost www.example", "virtualhost", "\"www.example\""),
            ("tls", "tls", "secure", "true"),
            ("tls_verify", "tls\ntls_verify", "verify", "true"),
            ("enable_sni", "enable_sni off", "sni", "\"Off\""),
            ("sni_name", "sni_name a.example", "sni", r#"{"Name":"a.example"}"#),
        )
    };
}

macro_rules! url {
    ($block:literal) => {
        common!(
            $block,
            "Http/urls/0",
            ("path", "path /index.html", "path", "\"/index.html\""),
            (
                "digest",
                "digest 9b3a0c85a887a256d6939da88aabd8cd",
                "digest",
                "[155,58,12,133,168,135,162,86,214,147,157,168,138,171,216,205]"
            ),
            (
                "status_code",
                "status_code 200-299 400-499\nstatus_code 503",
                "status_codes",
                r#"[{"first":200,"last":299},{"first":400,"last":499},{"first":503,"last":503}]"#
            ),
            ("virtualhost", "virtualhost www.example", "virtualhost", "\"www.example\""),
            ("regex", "regex \"a\\\\.b\"", "regex/pattern", r#""a\\.b""#),
            ("regex_no_match", "regex a\nregex_no_match", "regex/no_match", "true"),
            ("regex_options", "regex a\nregex_options caseless dotall", "regex/options", r#"["caseless","dotall"]"#),
            ("regex_min_offset", "regex a\nregex_min_offset 10", "regex/min_offset", "10"),
            ("regex_max_offset", "regex a\nregex_max_offset 20", "regex/max_offset", "20"),
            ("regex_stack", "regex a\nregex_stack 100 200", "regex/stack", "[100,200]"),
        )
    };
}

pub(super) const CASES: &[&[Case]] = &[
    timing!("MISC_CHECK", "Misc"),
    timing!("SMTP_CHECK", "Smtp"),
    timing!("SMTP_CHECK/host", "Smtp"),
    timing!("TCP_CHECK", "Tcp"),
    timing!("PING_CHECK", "Ping"),
    timing!("UDP_CHECK", "Udp"),
    timing!("HTTP_GET", "Http"),
    timing!("SSL_GET", "Http"),
    timing!("HTTP2_GET", "Http"),
    timing!("GRPC_CHECK", "Grpc"),
    timing!("DNS_CHECK", "Dns"),
    connection!("SMTP_CHECK", "Smtp"),
    connection!("SMTP_CHECK/host", "Smtp"),
    connection!("TCP_CHECK", "Tcp"),
    connection!("PING_CHECK", "Ping"),
    connection!("UDP_CHECK", "Udp"),
    connection!("HTTP_GET", "Http"),
    connection!("SSL_GET", "Http"),
    connection!("HTTP2_GET", "Http"),
    connection!("GRPC_CHECK", "Grpc"),
    connection!("DNS_CHECK", "Dns"),
    http!("HTTP_GET"),
    http!("SSL_GET"),
    url!("HTTP_GET/url"),
    url!("SSL_GET/url"),
    url!("HTTP2_GET/url"),
    tls!("HTTP2_GET", "Http"),
    tls!("GRPC_CHECK", "Grpc"),
    common!(
        "SSL_GET",
        "Http",
        ("tls_compliant", "tls_compliant", "tls_compliant", "true"),
        ("tls_verify", "tls_verify", "verify", "true"),
    ),
    common!(
        "HTTP2_GET",
        "Http",
        ("fast_recovery", "fast_recovery", "fast_recovery", "true"),
        ("url", "url {\npath /second\n}", "urls/1/path", "\"/second\""),
    ),
    common!("GRPC_CHECK", "Grpc", ("service", "service shop.Cart", "service", "\"shop.Cart\"")),
    common!("SSL_GET/url", "Http/urls/0", ("tls_compliant", "tls_compliant on", "tls_compliant", "true")),
    common!(
        "SMTP_CHECK",
        "Smtp",
        ("helo_name", "helo_name mail.example", "helo_name", "\"mail.example\""),
        ("host", "host {\nconnect_ip 10.0.1.2\n}", "endpoint/address", "\"10.0.1.2\""),
    ),
    common!(
        "DNS_CHECK",
        "Dns",
        ("type", "type aaaa", "query", "\"AAAA\""),
        ("type", "type MX", "query", "\"MX\""),
        ("name", "name www.example.com", "name", "\"www.example.com\""),
    ),
    common!(
        "MISC_CHECK",
        "Misc",
        (
            "misc_path",
            "misc_path \"/usr/bin/check 10.0.0.1 'a b'\"",
            "script/argv",
            r#"["/usr/bin/check","10.0.0.1","a b"]"#
        ),
        ("misc_timeout", "misc_timeout 4294", "timeout", r#"{"secs":4294,"nanos":0}"#),
        ("misc_dynamic", "misc_dynamic", "dynamic", "true"),
        ("user", "user nobody nogroup", "script/group", r#"{"name":"nogroup","supplementary":false}"#),
        ("user", "user nobody", "script/user", "\"nobody\""),
    ),
    common!(
        "UDP_CHECK",
        "Udp",
        // the example of keepalived.conf(5)
        ("payload", "payload Ab12f 3 456 546443123", "payload", "[171,18,15,3,69,6,84,100,67,18,3]"),
        ("require_reply", "require_reply", "reply", r#"{"pattern":[],"min_length":0,"max_length":255}"#),
        ("require_reply", "require_reply 1x X2", "reply/pattern", r#"[{"value":16,"mask":240},{"value":2,"mask":15}]"#),
        ("min_reply_length", "require_reply\nmin_reply_length 5", "reply/min_length", "5"),
        ("max_reply_length", "require_reply\nmax_reply_length 65535", "reply/max_length", "65535"),
    ),
    common!(
        "FILE_CHECK",
        "File",
        ("track_file", "track_file two", "track_file", "\"two\""),
        ("weight", "weight -2147483647 reverse", "weight", r#"{"multiplier":-2147483647,"reverse":true}"#),
        ("weight", "weight 3", "weight", r#"{"multiplier":3,"reverse":false}"#),
    ),
    common!("BFD_CHECK", "Bfd", ("name", "name two", "instance", "\"two\""), ("alpha", "alpha", "alpha", "true"),),
];
