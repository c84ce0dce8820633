//! A server that misbehaves: each way ends in its verdict in time, and nobody else comes to harm.

#[path = "misbehaving/server.rs"]
mod server;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{patience, wait_until};

use crate::rig::{Case, Rig, down, up, url, with_rig};
use server::{Act, Healthy, Server, Unheard, forever, say};

/// `connect_timeout` where nothing that a server does has to come in time: it says nothing at all.
const BRIEF: &str = "0.5";
/// `connect_timeout` of all others: ten times as long as a pause of theirs, for a machine that is busy with something
/// else. That each wait ends in time is tested without a clock (`deadline::what_never_waits_has_an_end_too`), and here
/// by what the reason says: a dialogue as a whole takes four times this and 10 s (docs/differences.md).
const STEP: &str = "2";
/// How long any of them may take to come out.
const LAST: Duration = Duration::from_secs(30);
/// So often is the healthy server asked while all others misbehave.
const ASKED: usize = 10;
/// As much more memory than for servers that refuse, in KiB.
const GROWTH: u64 = 8 * 1024;

/// One way.
struct Mood {
    kind: &'static str,
    acts: Vec<Act>,
    /// Why it fails; none if it does not.
    reason: Option<&'static str>,
    connect_timeout: &'static str,
}

fn bad(kind: &'static str, acts: Vec<Act>, reason: &'static str) -> Mood {
    Mood { kind, acts, reason: Some(reason), connect_timeout: STEP }
}

fn good(kind: &'static str, acts: Vec<Act>) -> Mood {
    Mood { kind, acts, reason: None, connect_timeout: STEP }
}

/// It says nothing, whatever it hears.
fn silent(kind: &'static str, acts: Vec<Act>, reason: &'static str) -> Mood {
    Mood { connect_timeout: BRIEF, ..bad(kind, acts, reason) }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A header says so, octet by octet if it has to be; what is after it is sent at once.
fn get() -> Vec<Mood> {
    const GET: &str = "HTTP_GET";
    let pause = || Act::Wait(Duration::from_millis(200));
    let drip = || Act::Drip(b'x', Duration::from_millis(200));
    let garbage: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    vec![
        silent(GET, vec![Act::Hang], "timed out after 0.5 s waiting for the header"),
        silent(GET, vec![Act::Hear, Act::Hang], "timed out after 0.5 s waiting for the header"),
        bad(GET, vec![Act::Hear, say(HEAD), Act::Hang], "timed out after 2 s waiting for the body"),
        // slow, but there is progress, and an end
        good(
            GET,
            vec![Act::Hear, say("HTTP"), pause(), say("/1.0 200"), pause(), say(" OK\r\n"), pause(), say("\r\nok")],
        ),
        bad(GET, vec![Act::Hear, drip()], "not done with the header after 18 s in all"),
        bad(GET, vec![Act::Hear, say(HEAD), drip()], "not done with the body after 18 s in all"),
        // without end
        bad(GET, vec![say("HTTP/1.1 200 OK\r\n"), forever("X: y\r\n")], "the header is longer than 65536 octets"),
        bad(GET, vec![forever("x")], "the header is longer than 65536 octets"),
        bad(GET, vec![forever("HTTP/1.1 100 Continue\r\n\r\n")], "the header is longer than 65536 octets"),
        // the limit is in octets or in time, as the machine is
        bad(GET, vec![Act::Hear, say(HEAD), forever("x")], "the body"),
        bad(GET, vec![Act::Hear, say(CHUNKED), forever("1\r\nx\r\n")], "the body"),
        bad(GET, vec![Act::Hear, say(CHUNKED), forever("0")], "the size of a chunk has no end"),
        bad(GET, vec![Act::Hear, Act::Reset], "connection reset by peer while waiting for the header"),
        bad(GET, vec![Act::Hear, say("HTTP/1.1 200 OK\r\n"), pause(), Act::Reset], "reset by peer"),
        bad(
            GET,
            vec![Act::Hear, say(HEAD), say("hal"), pause(), Act::Reset],
            "reset by peer while waiting for the body",
        ),
        bad(GET, vec![Act::Hear], "closed the connection before the end of the header"),
        bad(GET, vec![Act::Hear, say("HTTP/1.1 200 OK\r\nX:")], "closed the connection before the end of the header"),
        // observed: a wrong length is only logged
        good(GET, vec![Act::Hear, say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")]),
        good(GET, vec![Act::Hear, say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nlong")]),
        good(GET, vec![Act::Hear, say("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nno number")]),
        bad(GET, vec![Act::Hear, Act::Say(garbage)], "the header"),
        bad(GET, vec![Act::Hear, say("\x15\x03\x01\0\x02\x02\x28\r\n\r\n")], "the header is malformed"),
        bad(GET, vec![Act::Hear, say("HTTP/1.0 200 OK\n\nok")], "its lines end with LF"),
        bad(GET, vec![Act::Hear, say(CHUNKED), say("nothex\r\n")], "the size of a chunk is not hexadecimal"),
        bad(GET, vec![Act::Hear, say(CHUNKED), say("2\r\nabc\r\n")], "a chunk is longer than its size"),
    ]
}

/// Records of TLS: RFC 8446 §5.1.
fn tls() -> Vec<Mood> {
    const GET: &str = "SSL_GET";
    let drip = Act::Drip(0, Duration::from_millis(200));
    vec![
        // alert: fatal, handshake_failure; warning, close_notify; fatal, internal_error
        bad(GET, vec![Act::Hear, say("\x15\x03\x03\0\x02\x02\x28"), Act::Hang], "TLS: received fatal alert"),
        bad(GET, vec![Act::Hear, say("\x15\x03\x03\0\x02\x01\0"), Act::Hang], "handshake"),
        bad(GET, vec![Act::Hear, say("\x15\x03\x03\0\x02\x02\x50")], "TLS: received fatal alert"),
        bad(GET, vec![Act::Hear, say(HEAD)], "TLS:"),
        silent(GET, vec![Act::Hang], "timed out after 0.5 s waiting for the TLS handshake"),
        bad(GET, vec![Act::Hear, Act::Reset], "connection reset by peer while waiting for the TLS handshake"),
        bad(GET, vec![Act::Hear], "the TLS handshake"),
        bad(GET, vec![Act::Hear, forever("\x16\x03\x03\0\x04\x02\0\0\0")], "TLS:"),
        bad(GET, vec![Act::Hear, forever("\x16\x03\x03\0\0")], "TLS:"),
        // a record of 16 KiB, which takes its time: the handshake as a whole is one wait
        bad(
            GET,
            vec![Act::Hear, say("\x16\x03\x03\x40\0\x02\0\x3f\x7c"), drip],
            "timed out after 2 s waiting for the TLS handshake",
        ),
    ]
}

/// Frames of HTTP/2: RFC 9113 §4.1.
fn http2() -> Vec<Mood> {
    let frame = |kind: u8, flags: u8, stream: u8, text: &[u8]| {
        [&[0, 0, u8::try_from(text.len()).expect("short"), kind, flags, 0, 0, 0, stream], text].concat()
    };
    let settings = || Act::Say(frame(4, 0, 0, b""));
    let flood = |octets: Vec<u8>| vec![Act::Hear, settings(), Act::Forever(octets)];
    let mut moods = Vec::new();
    for kind in ["HTTP2_GET", "GRPC_CHECK"] {
        moods.extend([
            silent(kind, vec![Act::Hang], "timed out after 0.5 s waiting for the header"),
            bad(kind, vec![Act::Hear, settings(), Act::Hang], "timed out after 2 s waiting for the header"),
            bad(kind, vec![Act::Hear, say("HTTP/1.1 200 OK\r\n\r\n")], ""),
            bad(kind, vec![Act::Hear, Act::Reset], ""),
            // GOAWAY: no stream, ENHANCE_YOUR_CALM. RST_STREAM: REFUSED_STREAM
            bad(
                kind,
                vec![Act::Hear, settings(), Act::Say(frame(7, 0, 0, b"\0\0\0\0\0\0\0\x0b")), Act::Hang],
                "HTTP/2:",
            ),
            bad(kind, vec![Act::Hear, settings(), Act::Say(frame(3, 0, 1, b"\0\0\0\x07")), Act::Hang], "HTTP/2:"),
            // larger than we allow
            bad(kind, vec![Act::Hear, settings(), Act::Say(vec![0xff; 100]), Act::Hang], "HTTP/2:"),
            // of an unknown type; PING; SETTINGS; PRIORITY
            bad(kind, flood(frame(0xfa, 0, 0, b"")), ""),
            bad(kind, flood(frame(6, 0, 0, b"12345678")), ""),
            bad(kind, flood(frame(4, 0, 0, b"")), ""),
            bad(kind, flood(frame(2, 0, 1, b"\0\0\0\0\0")), ""),
            // HEADERS, and then CONTINUATION for ever; ":status: 200", and then DATA with nothing in it
            bad(
                kind,
                [
                    vec![Act::Hear, settings(), Act::Say(frame(1, 0, 1, b"\x88"))],
                    vec![Act::Forever(frame(9, 0, 1, b"\0\x01x\x01y"))],
                ]
                .concat(),
                "",
            ),
            bad(
                kind,
                [
                    vec![Act::Hear, settings(), Act::Say(frame(1, 4, 1, b"\x88"))],
                    vec![Act::Forever(frame(0, 0, 1, b""))],
                ]
                .concat(),
                "",
            ),
        ]);
    }
    moods
}

fn mail() -> Vec<Mood> {
    const MAIL: &str = "SMTP_CHECK";
    let drip = Act::Drip(b'x', Duration::from_millis(200));
    vec![
        silent(MAIL, vec![Act::Hang], "timed out after 0.5 s waiting for the greeting"),
        bad(MAIL, vec![say("220 well\r\n"), Act::Hang], "timed out after 2 s waiting for the reply to HELO"),
        bad(MAIL, vec![forever("220-more\r\n")], "the greeting is longer than"),
        bad(MAIL, vec![forever("x")], "the greeting is longer than"),
        bad(MAIL, vec![], "closed the connection before the end of the greeting"),
        bad(MAIL, vec![say("220 well\r\n"), Act::Hear, Act::Reset], "the reply to HELO"),
        bad(MAIL, vec![say("\0\x01\x02\r\n"), Act::Hang], "the greeting is"),
        bad(MAIL, vec![drip], "not done with the greeting after 18 s in all"),
        // an answer to QUIT is waited for, and may be anything
        good(MAIL, vec![say("220 well\r\n"), Act::Hear, say("250 well\r\n"), Act::Hear, say("garbage\n")]),
    ]
}

const HEALTHY: &str = "10.1.1.2:80";
const UNHEARD: &str = "10.1.1.3:80";
const NAMES: &str = "10.1.1.3:53";

/// All of them, those that fail with a healthy server in the same service; the check of that one is shared.
fn cases(moods: &[Mood]) -> Vec<Case> {
    let (mut cases, healthy) = (Vec::new(), url("/", ""));
    let beside = |case: Case| case.beside(HEALTHY, "HTTP_GET", &healthy);
    for (port, mood) in (1001..).zip(moods) {
        let at = format!("10.1.1.1:{port}");
        let page = if mood.kind.ends_with("GET") { &healthy } else { "" };
        let lines = format!("connect_timeout {}\n {page}", mood.connect_timeout);
        // services with `alpha`, or of datagrams, would have the healthy server checked once more
        cases.push(match mood.reason {
            None => up(&at, mood.kind, &lines),
            Some(reason) => beside(down(&at, mood.kind, &lines, reason)),
        });
    }
    let brief = format!("connect_timeout {BRIEF}");
    cases.push(beside(down(UNHEARD, "TCP_CHECK", &brief, "timed out after 0.5 s connecting")));
    cases.push(down(NAMES, "DNS_CHECK", &brief, "timed out after 0.5 s waiting for the reply").udp());
    cases
}

#[test]
fn every_way_ends_in_a_verdict_and_harms_nobody() {
    with_rig("misbehaving", &[], |rig| {
        let moods = [get(), tls(), http2(), mail()].into_iter().flatten().collect::<Vec<_>>();
        let cases = cases(&moods);
        let healthy = rig.namespace().inside(|| Healthy::open(HEALTHY))?;

        // as much memory as so many checks take anyhow
        rig.start_with("", &cases)?;
        rig.running()?.wait_for_log("connection refused", patience(LAST))?;
        let before = most_memory(rig)?;

        let _servers = rig.namespace().inside(|| {
            let servers =
                (1001..).zip(&moods).map(|(port, mood)| Server::open(&format!("10.1.1.1:{port}"), &mood.acts));
            servers.collect::<Result<Vec<_>>>()
        })?;
        let _unheard = rig.namespace().inside(|| Unheard::open(UNHEARD, NAMES))?;
        rig.start_with("", &cases)?;
        let took = rig.come_out_within(&cases, patience(LAST))?;
        // all of them go on as they do, and the healthy server is asked as before
        let begin = healthy.count();
        wait_until("the healthy server is asked", patience(LAST), || Ok(healthy.count() >= begin + ASKED))?;
        rig.has(&cases)?;
        let longest = took.iter().max().context("cases")?;
        let late = healthy.latest(begin)?;
        let grown = most_memory(rig)?.saturating_sub(before);
        println!(
            "{} ways; the last verdict after {longest:?}; checks of the healthy server at most {late:?} late; {grown} KiB more \
             than {before}",
            cases.len()
        );
        ensure!(grown < GROWTH, "{grown} KiB more than the {before} KiB for servers that refuse");
        Ok(())
    });
}

/// The most memory that the checker process has had, in KiB.
fn most_memory(rig: &Rig<'_>) -> Result<u64> {
    let pid = std::fs::read_to_string(rig.running()?.file("checkers.pid"))?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| line.to_owned())
}
