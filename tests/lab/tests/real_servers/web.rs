//! nginx: `HTTP_GET`, `SSL_GET`, `HTTP2_GET`, `genhash`.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::Daemon;

use crate::pki::certificates;
use crate::rig::{Case, Room, Server, down, tool, up, url, with_rig};

const PROGRAMS: [&str; 3] = ["nginx", "openssl", "genhash"];

pub(crate) const HTTP: &str = "10.1.1.1:80";
const H2C: &str = "10.1.1.1:8080";
/// Its certificate is for `first.example`, and it has nothing; `secure.example` and `expired.example` are there, too.
pub(crate) const TLS: &str = "10.1.1.1:443";
/// It speaks to those only who name `secure.example`.
pub(crate) const TLS_STRICT: &str = "10.1.1.1:444";
/// It wants a certificate of ours.
pub(crate) const TLS_CLIENTS: &str = "10.1.1.1:445";
pub(crate) const TLS12: &str = "10.1.1.1:446";
pub(crate) const TLS13: &str = "10.1.1.1:447";
/// Its certificate is signed by nobody else.
const TLS_STRANGER: &str = "10.1.1.1:448";
const H2: &str = "10.1.1.1:8443";

const PAGES: &str = "
    root pages;
    location = /text { return 200 'The quick brown fox\\n'; }
    location = /none { return 204; }
    location = /found { return 302 http://elsewhere.example/; }
    location = /busy { return 503 'The quick brown fox\\n'; }
    location = /old { return 404 'The quick brown fox\\n'; }
    # of unknown length: chunks for HTTP/1.1, until the end of the connection for 1.0
    location = /chunked { alias pages/large; sub_filter nowhere-in-it x; sub_filter_types *; }";

fn configuration() -> String {
    let tls = |name: &str| format!("ssl_certificate {name}.pem; ssl_certificate_key {name}.key;");
    let other = |listen: &str, tls: &str| format!("server {{ listen {listen}; {tls} {PAGES} }}\n");
    let [first, secure, expired, stranger] = ["first", "secure", "expired", "stranger"].map(tls);
    // else nginx lets the header choose the server, too
    let named = "if ($ssl_server_name != $host) { return 421; }";
    let mut text = format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid nginx.pid;\nerror_log nginx.error.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n access_log off;\n gzip on; gzip_types *; gzip_min_length 1;\n\
         client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;\n\
         server {{ listen {HTTP} default_server; listen [fd00:1::1]:80 default_server; {PAGES} }}\n\
         server {{ listen {HTTP}; listen [fd00:1::1]:80; server_name www.example; location / {{ return 200 'www\\n'; }} }}\n\
         server {{ listen {HTTP}; server_name shut.example; location / {{ return 403; }} }}\n\
         server {{ listen {TLS} ssl default_server; {first} location / {{ return 421; }} }}\n\
         server {{ listen {TLS} ssl; server_name secure.example; {secure} {named} {PAGES} }}\n\
         server {{ listen {TLS} ssl; server_name expired.example; {expired} {named} {PAGES} }}\n\
         server {{ listen {TLS_STRICT} ssl default_server; ssl_reject_handshake on; }}\n\
         server {{ listen {TLS_STRICT} ssl; server_name secure.example; {secure} {PAGES} }}\n\
         server {{ listen {H2} ssl http2 default_server; {first} location / {{ return 421; }} }}\n\
         server {{ listen {H2} ssl http2; server_name secure.example; {secure} {named} {PAGES} }}\n"
    );
    text += &other(&format!("{H2C} http2"), "");
    text += &other(
        &format!("{TLS_CLIENTS} ssl"),
        &format!("{secure} ssl_client_certificate ca.pem; ssl_verify_client on;"),
    );
    text += &other(&format!("{TLS12} ssl"), &format!("{secure} ssl_protocols TLSv1.2;"));
    text += &other(&format!("{TLS13} ssl"), &format!("{secure} ssl_protocols TLSv1.3;"));
    text += &other(&format!("{TLS_STRANGER} ssl"), &stranger);
    text + "}\n"
}

/// Starts nginx. `/large` has 300 kB, more than any buffer.
pub(crate) fn nginx(room: Room<'_>) -> Result<Server> {
    if !room.folder.join("nginx.conf").exists() {
        certificates(room.folder, &["first", "secure", "expired", "client"])?;
        room.file("nginx.conf", configuration())?;
        room.file("pages/small", "small\n")?;
        let large: String = (0..30_000).map(|line| format!("line {line:04}\n")).collect();
        room.file("pages/large", large)?;
        std::fs::create_dir_all(room.folder.join("t"))?;
    }
    let mut command = room.namespace.command("nginx");
    command.arg("-p").arg(room.folder).arg("-c").arg("nginx.conf").args(["-e", "nginx.error.log"]);
    let at = [HTTP, H2C, TLS, TLS_STRICT, TLS_CLIENTS, TLS12, TLS13, TLS_STRANGER, H2, "[fd00:1::1]:80"];
    room.serve("nginx", &mut command, &at)
}

/// What Debian's `genhash`, whose answer counts, and ours say of a page.
fn genhash(room: Room<'_>, options: &str) -> Result<String> {
    let theirs = room.namespace.run(&format!("genhash {options}"))?;
    let ours = room.namespace.run(&format!("{} --genhash {options}", Daemon::ours().program().display()))?;
    ensure!(ours.trim() == theirs.trim(), "genhash {options}: ours says {ours:?}, Debian's {theirs:?}");
    let digest = theirs.split_whitespace().last().context("a digest")?;
    ensure!(digest.len() == 32, "{theirs}");
    Ok(digest.to_owned())
}

#[test]
fn pages_are_judged_as_nginx_sends_them() {
    with_rig("pages", &PROGRAMS, |rig| {
        let server = nginx(rig.room())?;
        let get = |lines: &str| up(HTTP, "HTTP_GET", lines);
        let bad = |lines: &str, reason: &str| down(HTTP, "HTTP_GET", lines, reason);
        let mut cases = Vec::new();
        for protocol in ["1.0", "1.0C", "1.1"] {
            for path in ["/text", "/none", "/small", "/large", "/chunked"] {
                cases.push(get(&format!("http_protocol {protocol}\n {}", url(path, ""))));
            }
        }
        cases.extend(statuses(&get, &bad));
        cases.extend(digests(rig.room(), &get, &bad)?);
        // with HTTP/1.0 it comes as it is; what the chunks say is not of the page, and there we differ from keepalived
        let digest = genhash(rig.room(), "-s 10.1.1.1 -p 80 -u /chunked")?;
        for protocol in ["1.0", "1.1"] {
            cases.push(get(&format!("http_protocol {protocol}\n {}", url("/chunked", &format!("digest {digest}")))));
        }
        cases.extend(regexes(&get, &bad));
        cases.extend(offsets(&get, &bad));
        cases.extend(hosts());
        rig.expect("", &cases)?;

        drop(server);
        rig.becomes(&cases, false)?;
        let _server = nginx(rig.room())?;
        rig.becomes(&cases, true)
    });
}

pub(crate) type Up<'a> = &'a dyn Fn(&str) -> Case;
pub(crate) type Down<'a> = &'a dyn Fn(&str, &str) -> Case;

pub(crate) fn statuses(get: Up<'_>, bad: Down<'_>) -> Vec<Case> {
    vec![
        bad(&url("/found", ""), "status 302, wanted 200-299"),
        bad(&url("/nothing-there", ""), "status 404"),
        bad(&url("/busy", ""), "status 503"),
        bad(&url("/text", "status_code 204"), "status 200, wanted 204"),
        get(&url("/none", "status_code 204")),
        get(&url("/found", "status_code 302")),
        get(&url("/nothing-there", "status_code 404")),
        get(&url("/busy", "status_code 200 500-599")),
        // as nobody looks at the second before the first is well
        get(&format!("fast_recovery\n {}\n {}", url("/text", ""), url("/none", "status_code 204"))),
        bad(&format!("fast_recovery\n {}\n {}", url("/text", ""), url("/busy", "")), "status 503"),
    ]
}

pub(crate) fn digests(room: Room<'_>, get: Up<'_>, bad: Down<'_>) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for path in ["/text", "/none", "/small", "/large", "/old"] {
        let digest = genhash(room, &format!("-s 10.1.1.1 -p 80 -u {path}"))?;
        for protocol in ["1.0", "1.0C", "1.1"] {
            let again = genhash(room, &format!("-s 10.1.1.1 -p 80 -P {protocol} -u {path}"))?;
            ensure!(again == digest, "{path} over {protocol}");
            let page = url(path, &format!("status_code 200-299 404\n digest {digest}"));
            cases.push(get(&format!("http_protocol {protocol}\n {page}")));
        }
        let wrong = digest.chars().rev().collect::<String>();
        cases.push(bad(&url(path, &format!("status_code 200-299 404\n digest {wrong}")), &format!("digest {digest}")));
    }
    let www = genhash(room, "-s 10.1.1.1 -p 80 -V www.example -u /text")?;
    cases.push(get(&format!("virtualhost www.example\n {}", url("/text", &format!("digest {www}")))));
    cases.push(bad(&url("/text", &format!("digest {www}")), "digest "));
    Ok(cases)
}

pub(crate) fn regexes(get: Up<'_>, bad: Down<'_>) -> Vec<Case> {
    let regex = |path: &str, pattern: &str, more: &str| url(path, &format!("regex \"{pattern}\"\n {more}"));
    vec![
        get(&regex("/text", "quick.*fox", "")),
        get(&regex("/text", "QUICK", "regex_options caseless")),
        bad(&regex("/text", "QUICK", ""), "does not match"),
        bad(&regex("/text", "fox", "regex_no_match"), "regex_no_match"),
        get(&regex("/text", "wolf", "regex_no_match")),
        // its last line, after 300 kB and many chunks
        get(&regex("/large", "line 29999", "")),
        get(&format!("http_protocol 1.1\n {}", regex("/chunked", "line 29998\\\\nline 29999", ""))),
        bad(&format!("http_protocol 1.1\n {}", regex("/chunked", "line 30000", "")), "does not match"),
    ]
}

/// What keepalived does here depends on the server: observed, it counts from the beginning of the header if some of the
/// body comes with it, and finds what is in the header then.
fn offsets(get: Up<'_>, bad: Down<'_>) -> Vec<Case> {
    let regex = |path: &str, pattern: &str, more: &str| url(path, &format!("regex \"{pattern}\"\n {more}"));
    vec![
        get(&regex("/text", "quick", "regex_min_offset 4\n regex_max_offset 5")),
        bad(&regex("/text", "quick", "regex_min_offset 5"), "does not match"),
        bad(&regex("/text", "nginx", ""), "does not match"),
    ]
}

fn hosts() -> Vec<Case> {
    let six = "[fd00:1::1]:80";
    let www = url("/", "regex www");
    vec![
        up(HTTP, "HTTP_GET", &format!("virtualhost www.example\n {www}")),
        up(HTTP, "HTTP_GET", &url("/", "regex www\n virtualhost www.example")),
        up(
            HTTP,
            "HTTP_GET",
            &format!("virtualhost shut.example\n {}", url("/", "regex www\n virtualhost www.example")),
        ),
        down(HTTP, "HTTP_GET", &format!("virtualhost shut.example\n {www}"), "status 403"),
        down(HTTP, "HTTP_GET", &www, "status 403"),
        up(six, "HTTP_GET", &url("/text", "")),
        up(six, "HTTP_GET", &format!("http_protocol 1.1\n virtualhost www.example\n {www}")),
        down(six, "HTTP_GET", &url("/found", ""), "status 302"),
        // this is not what is spoken there
        down(TLS, "HTTP_GET", &url("/text", ""), "status 400"),
        down(H2C, "HTTP_GET", &url("/text", ""), "the header"),
    ]
}

#[test]
fn tls_is_as_nginx_speaks_it() {
    with_rig("tls", &PROGRAMS, |rig| {
        let _server = nginx(rig.room())?;
        let text = url("/text", "");
        let get = |at: &str, lines: &str| up(at, "SSL_GET", &format!("{lines}\n {text}"));
        let bad = |at: &str, lines: &str, reason: &str| down(at, "SSL_GET", &format!("{lines}\n {text}"), reason);
        let host = "virtualhost secure.example";
        let digest = genhash(rig.room(), "-S -I -V secure.example -s 10.1.1.1 -p 443 -u /large")?;
        let mut cases = vec![
            // without a name nginx has the first server answer
            bad(TLS, "", "status 421"),
            bad(TLS, host, "status 421"),
            up(TLS, "SSL_GET", &format!("{host}\n {}", url("/text", "status_code 421"))),
            get(TLS, &format!("enable_sni\n {host}")),
            get(TLS, &format!("sni_name secure.example\n {host}")),
            bad(TLS, "sni_name secure.example", "status 421"),
            bad(TLS, &format!("sni_name elsewhere.example\n {host}"), "status 421"),
            up(TLS, "SSL_GET", &format!("enable_sni\n {}", url("/text", "virtualhost secure.example"))),
            bad(TLS, "sni_name elsewhere.example", "status 421"),
            up(TLS, "SSL_GET", &format!("enable_sni\n {host}\n {}", url("/large", &format!("digest {digest}")))),
            up(
                TLS,
                "SSL_GET",
                &format!("enable_sni\n {host}\n http_protocol 1.1\n {}", url("/chunked", "regex 29999")),
            ),
            bad(TLS, &format!("enable_sni\n {host}\n {}", url("/busy", "")), "status 503"),
            // an alert
            bad(TLS_STRICT, "", "TLS:"),
            bad(TLS_STRICT, "sni_name elsewhere.example", "TLS:"),
            get(TLS_STRICT, &format!("sni_name secure.example\n {host}")),
            get(TLS12, ""),
            get(TLS13, ""),
            get(TLS12, "tls_compliant"),
            // this is not what is spoken there
            bad(HTTP, "", "TLS:"),
            down(TLS_CLIENTS, "SSL_GET", &text, "status 400"),
        ];
        // keepalived believes everybody
        for (at, name) in [(TLS, "expired"), (TLS_STRANGER, "stranger"), (TLS12, "elsewhere")] {
            cases.push(get(at, &format!("enable_sni\n virtualhost {name}.example")));
        }
        // who wants more says so
        let verified = |name: &str| format!("tls_verify\n virtualhost {name}.example");
        cases.extend([
            get(TLS, &verified("secure")),
            get(TLS, &format!("tls_verify\n sni_name secure.example\n {host}")),
            bad(TLS, &verified("elsewhere"), "TLS: invalid peer certificate: certificate not valid for name"),
            bad(TLS, "tls_verify", "TLS: invalid peer certificate: certificate not valid for name"),
            bad(TLS, &verified("expired"), "TLS: invalid peer certificate: certificate expired"),
            bad(TLS_STRANGER, &verified("stranger"), "TLS: invalid peer certificate"),
            get(TLS13, &verified("secure")),
        ]);
        let ca = rig.folder().join("ca.pem");
        rig.expect(&format!("SSL {{\n ca {}\n}}", ca.display()), &cases)
    });
}

#[test]
fn servers_that_are_too_old_are_told_apart() {
    with_rig("old tls", &["openssl"], |rig| {
        let room = rig.room();
        certificates(room.folder, &["first"])?;
        let kinds = [
            ("10.1.1.2:441", "-tls1 -cipher DEFAULT:@SECLEVEL=0"),
            ("10.1.1.2:442", "-tls1_1 -cipher DEFAULT:@SECLEVEL=0"),
            ("10.1.1.2:443", "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
        ];
        let mut servers = Vec::new();
        for (at, options) in kinds {
            let line = format!("s_server -WWW -quiet -accept {at} -key first.key -cert first.pem {options}");
            let mut command = room.namespace.command("openssl");
            servers.push(room.serve("openssl", command.args(line.split_whitespace()), &[at])?);
        }
        let page = url("/ca.pem", "");
        let cases = kinds.map(|(at, _)| down(at, "SSL_GET", &page, "need a build with --features openssl"));
        rig.expect("", &cases)
    });
}

#[test]
fn certificates_of_ours_are_shown() {
    with_rig("client certificate", &PROGRAMS, |rig| {
        let _server = nginx(rig.room())?;
        tool(
            Command::new("openssl")
                .args("pkcs8 -topk8 -in client.key -out locked.key -passout pass:open-sesame".split(' '))
                .current_dir(rig.folder()),
        )?;
        let folder = rig.folder().display().to_string();
        let text = url("/text", "");
        let cases = [up(TLS_CLIENTS, "SSL_GET", &text), up(TLS13, "SSL_GET", &text)];
        let keys = ["key FOLDER/client.key", "key FOLDER/locked.key\n password open-sesame"];
        for key in keys.map(|key| key.replace("FOLDER", &folder)) {
            rig.expect(&format!("SSL {{\n certificate {folder}/client.pem\n {key}\n}}"), &cases)?;
        }
        // one that nobody there knows
        let stranger = format!("SSL {{\n certificate {folder}/stranger.pem\n key {folder}/stranger.key\n}}");
        let cases = [down(TLS_CLIENTS, "SSL_GET", &text, "status 400"), up(TLS13, "SSL_GET", &text)];
        rig.expect(&stranger, &cases)
    });
}

#[test]
fn http2_is_as_nginx_speaks_it() {
    with_rig("http2", &PROGRAMS, |rig| {
        let _server = nginx(rig.room())?;
        let digest = genhash(rig.room(), "-s 10.1.1.1 -p 80 -u /large")?;
        let get = |at: &str, lines: &str| up(at, "HTTP2_GET", lines);
        let bad = |at: &str, lines: &str, reason: &str| down(at, "HTTP2_GET", lines, reason);
        let text = url("/text", "");
        let tls = "tls\n virtualhost secure.example";
        let mut cases = vec![
            bad(H2, &format!("tls\n {text}"), "status 421"),
            get(H2, &format!("tls\n sni_name secure.example\n virtualhost secure.example\n {text}")),
            bad(H2, &format!("{tls}\n enable_sni off\n {text}"), "status 421"),
            get(H2, &format!("{tls}\n tls_verify\n {text}")),
            bad(
                H2,
                &format!("tls\n tls_verify\n sni_name elsewhere.example\n {text}"),
                "certificate not valid for name",
            ),
            // HTTP/1 only, with and without TLS
            bad(TLS, &format!("{tls}\n {text}"), ""),
            bad(HTTP, &text, "HTTP/2:"),
            bad(H2, &text, "HTTP/2:"),
            bad(H2C, &format!("tls\n {text}"), "TLS:"),
        ];
        for (at, lines) in [(H2, tls), (H2C, "")] {
            let case = |page: String| get(at, &format!("{lines}\n {page}"));
            cases.extend([
                case(url("/text", "regex fox")),
                case(url("/none", "status_code 204")),
                case(url("/large", &format!("digest {digest}"))),
                case(url("/chunked", &format!("digest {digest}"))),
                case(url("/old", "status_code 404\n regex fox")),
                bad(at, &format!("{lines}\n {}", url("/busy", "")), "status 503"),
                bad(at, &format!("{lines}\n {}", url("/nothing-there", "")), "status 404"),
                bad(at, &format!("{lines}\n {}", url("/text", &format!("digest {digest}"))), "digest "),
                bad(at, &format!("{lines}\n {}", url("/text", "regex wolf")), "does not match"),
            ]);
        }
        let ca = rig.folder().join("ca.pem");
        rig.expect(&format!("SSL {{\n ca {}\n}}", ca.display()), &cases)
    });
}
