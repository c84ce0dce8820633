//! `HTTP_GET`

use std::time::{Duration, Instant};

use keepalived_checks::{Failure, Step, Tls, Trust, http};
use keepalived_config::model::{HttpCheck, HttpProtocol, Regex, Sni, Ssl, StatusRange, Url};

use crate::server::{Act, say, serve};
use crate::{TIMEOUT, endpoint, run, schedule};

pub(crate) fn url() -> Url {
    Url {
        path: "/".into(),
        status_codes: vec![StatusRange::SUCCESS],
        digest: None,
        virtualhost: None,
        tls_compliant: false,
        regex: None,
    }
}

pub(crate) fn get(address: std::net::SocketAddr, url: Url) -> HttpCheck {
    HttpCheck {
        verify: false,
        schedule: schedule(),
        endpoint: endpoint(address),
        secure: false,
        protocol: HttpProtocol::V1_0,
        sni: Sni::Off,
        fast_recovery: false,
        tls_compliant: false,
        virtualhost: None,
        urls: vec![url],
    }
}

async fn ask(acts: Vec<Act>, url: Url) -> Result<(), Failure> {
    let mut all = vec![Act::Hear(b"\r\n\r\n")];
    all.extend(acts);
    let check = get(serve(all).await, url);
    let tls = Tls::new(&Ssl::default(), Trust::Anyone).unwrap();
    http(&check, &check.urls[0], None, &tls).await
}

/// What a server that does `acts` after the request leads to.
#[track_caller]
fn check(acts: Vec<Act>, verdict: Result<(), Failure>) {
    check_url(acts, url(), verdict);
}

#[track_caller]
fn check_url(acts: Vec<Act>, url: Url, verdict: Result<(), Failure>) {
    assert_eq!(run(ask(acts, url)), verdict);
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TEN_SECONDS: Duration = Duration::from_secs(10);

/// Observed: without a list 204 passes, 302 and 500 fail.
#[test]
fn the_status_is_judged() {
    let answer = |status: u16| vec![say(format!("HTTP/1.0 {status} X\r\n\r\nbody"))];
    let failure = |status| Err(Failure::Status(status, [StatusRange::SUCCESS].into()));
    check(answer(200), Ok(()));
    check(answer(204), Ok(()));
    check(answer(302), failure(302));
    check(answer(500), failure(500));
    let ranges = vec![StatusRange { first: 302, last: 302 }, StatusRange { first: 500, last: 599 }];
    check_url(answer(502), Url { status_codes: ranges.clone(), ..url() }, Ok(()));
    let failure = Err(Failure::Status(200, ranges.clone().into()));
    check_url(answer(200), Url { status_codes: ranges, ..url() }, failure);
}

#[test]
fn the_digest_is_that_of_the_body() {
    let wanted = || Url { digest: Some(0x444b_cb3a_3fcf_8389_296c_4946_7f27_e1d6_u128.to_be_bytes()), ..url() };
    check_url(vec![say("HTTP/1.0 200 OK\r\n\r\nok")], wanted(), Ok(()));
    check_url(vec![say(OK)], wanted(), Ok(()));
    // observed: what is beyond the length is not hashed
    check_url(vec![say(format!("{OK}ay"))], wanted(), Ok(()));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n";
    check_url(vec![say(chunked)], wanted(), Ok(()));
    let failure = run(ask(vec![say("HTTP/1.0 200 OK\r\n\r\nno")], wanted())).unwrap_err();
    // printf ok | md5sum, printf no | md5sum
    let text = "digest 7fa3b767c460b54a2be4d49030b349c7, wanted 444bcb3a3fcf8389296c49467f27e1d6";
    assert!(failure.to_string().starts_with(text), "{failure}");
}

#[test]
fn the_regex_looks_at_the_body() {
    let wanted = |pattern: &str, no_match| {
        let regex = Regex { pattern: pattern.into(), no_match, ..Regex::default() };
        Url { regex: Some(Box::new(regex)), ..url() }
    };
    check_url(vec![say(OK)], wanted("^ok$", false), Ok(()));
    check_url(vec![say(OK)], wanted("^no", false), Err(Failure::NotFound));
    check_url(vec![say(OK)], wanted("ok", true), Err(Failure::Found));
    check_url(vec![say("HTTP/1.0 200 OK\r\n\r\no"), Act::Wait(TIMEOUT / 8), say("k")], wanted("ok", false), Ok(()));
}

/// Deviates from keepalived, which waits for the close.
#[test]
fn a_server_that_does_not_close_has_answered() {
    check(vec![say(OK), Act::Hang], Ok(()));
    check(vec![say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), Act::Hang], Ok(()));
    let endless = vec![say("HTTP/1.1 200 OK\r\n\r\nok"), Act::Hang];
    check(endless, Err(Failure::TimedOut(Step::Body, TIMEOUT)));
}

/// Observed: short or long, a wrong length is only logged.
#[test]
fn a_wrong_length_is_no_failure() {
    check(vec![say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")], Ok(()));
    check(vec![say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok")], Ok(()));
}

#[test]
fn a_server_that_says_nothing_has_failed() {
    check(vec![Act::Hang], Err(Failure::TimedOut(Step::Header, TIMEOUT)));
    check(vec![], Err(Failure::Closed(Step::Header)));
    check(vec![say("HTTP/1.1 200 OK\r\n")], Err(Failure::Closed(Step::Header)));
    check(vec![say("HTTP/1.1 200 OK\r\n"), Act::Hang], Err(Failure::TimedOut(Step::Header, TIMEOUT)));
}

#[test]
fn a_reset_is_a_failure_wherever_it_comes() {
    let reset = |step| Err(Failure::System(step, 104));
    let pause = Act::Wait(TIMEOUT / 8);
    check(vec![Act::Reset], reset(Step::Header));
    check(vec![say("HTTP/1.1 200 OK\r\n"), pause.clone(), Act::Reset], reset(Step::Header));
    check(vec![say("HTTP/1.1 200 OK\r\n\r\nhal"), pause, Act::Reset], reset(Step::Body));
}

#[test]
fn garbage_is_no_answer() {
    let garbage: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    check(vec![Act::Say(garbage)], Err(Failure::TooLong(Step::Header, 65_536)));
    let no_status = Failure::Malformed(Step::Header, "its first line has no status of three digits");
    check(vec![say("\u{15}\u{3}\u{1}\0\u{2}\u{2}\r\n\r\n")], Err(no_status));
    // observed: a header that ends with LF LF is none
    let failure = run(ask(vec![say("HTTP/1.0 200 OK\n\nok")], url())).unwrap_err();
    assert!(matches!(failure, Failure::Malformed(Step::Header, _)));
}

#[test]
fn slow_headers_are_waited_for() {
    let pause = || Act::Wait(TIMEOUT / 2);
    let acts = vec![say("HTTP/1.1 200"), pause(), say(" OK\r\nContent-"), pause(), say("Length: 2\r\n\r"), pause()];
    check([acts, vec![say("\nok"), Act::Hang]].concat(), Ok(()));
}

#[test]
fn interim_answers_are_passed_over() {
    check(vec![say("HTTP/1.1 100 Continue\r\n\r\n"), Act::Wait(TIMEOUT / 8), say(OK), Act::Hang], Ok(()));
}

#[test]
fn a_header_has_an_end() {
    check(
        vec![say("HTTP/1.1 200 OK\r\n"), Act::SayForEver(b"X: y\r\n".to_vec())],
        Err(Failure::TooLong(Step::Header, 65_536)),
    );
    check(vec![Act::SayForEver(vec![b'x'; 5000])], Err(Failure::TooLong(Step::Header, 65_536)));
}

/// RFC 9112 §7.1
#[test]
fn bad_chunks_are_refused() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let malformed = |why| Err(Failure::Malformed(Step::Body, why));
    check(vec![say(format!("{head}nothex\r\n")), Act::Hang], malformed("the size of a chunk is not hexadecimal"));
    check(vec![say(format!("{head}fffffffffffffffff\r\n")), Act::Hang], malformed("the size of a chunk overflows"));
    // as large as can be said, and nothing comes of it
    let huge = vec![say(format!("{head}ffffffffffffffff\r\nx")), Act::Hang];
    check(huge, Err(Failure::TimedOut(Step::Body, TIMEOUT)));
}

/// A quick server's body ends with the limit in octets, a slow one's with the limit in time: here the first.
#[test]
fn an_endless_body_has_an_end() {
    let before = resident();
    let started = Instant::now();
    let acts = vec![say("HTTP/1.1 200 OK\r\n\r\n"), Act::SayForEver(vec![b'x'; 1 << 20])];
    let regex = Regex { pattern: "never".into(), ..Regex::default() };
    check_url(acts.clone(), url(), Err(Failure::TooLong(Step::Body, 1 << 30)));
    assert!(started.elapsed() < TEN_SECONDS);
    // the window of a regex is bounded, too; offsets beyond it need nothing kept
    let far = Regex { max_offset: Some(1 << 22), ..regex };
    check_url(acts, Url { regex: Some(Box::new(far)), ..url() }, Err(Failure::TooLong(Step::Body, 1 << 30)));
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} octets more than before");
}

/// Octets of memory that this process has. Other tests run beside this one, and none of them needs much.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
