//! `SMTP_CHECK`

use keepalived_checks::{Failure, Step, smtp};
use keepalived_config::model::SmtpCheck;

use crate::server::{Act, say, serve};
use crate::{TIMEOUT, endpoint, run, schedule};

fn check(acts: Vec<Act>, verdict: Result<(), Failure>) {
    let result = run(async {
        let endpoint = endpoint(serve(acts).await);
        smtp(&SmtpCheck { schedule: schedule(), endpoint, helo_name: "me.example".into() }).await
    });
    assert_eq!(result, verdict);
}

const HELO: Act = Act::Hear(b"HELO me.example\r\n");
const QUIT: Act = Act::Hear(b"QUIT\r\n");

/// RFC 5321 appendix D
#[test]
fn a_server_greets_and_says_goodbye() {
    check(vec![say("220 foo.com\r\n"), HELO, say("250 foo.com\r\n"), QUIT, say("221 bye\r\n")], Ok(()));
    check(vec![say("220 foo.com\r\n"), HELO, say("250 foo.com\r\n"), QUIT, say("500 what\r\n")], Ok(()));
}

/// RFC 5321 §4.2.1; deviates from keepalived.
#[test]
fn replies_may_have_several_lines() {
    let banner = "220-foo.com\r\n220-welcome\r\n220 \r\n";
    check(vec![say(banner), HELO, say("250-foo\r\n250 SIZE\r\n"), QUIT, say("221-a\r\n221 b\r\n")], Ok(()));
}

#[test]
fn another_code_is_a_failure() {
    check(vec![say("554 no\r\n"), Act::Hang], Err(Failure::Reply(Step::Greeting, "554 no".into(), 220)));
    let acts = vec![say("220 a\r\n"), HELO, say("550-go\r\n550 away\r\n"), Act::Hang];
    check(acts, Err(Failure::Reply(Step::Hello, "550 away".into(), 250)));
    check(vec![say("HTTP/1.1 400 Bad\r\n")], Err(Failure::Reply(Step::Greeting, "HTTP/1.1 400 Bad".into(), 220)));
}

#[test]
fn a_server_that_stops_has_failed() {
    check(vec![Act::Hang], Err(Failure::TimedOut(Step::Greeting, TIMEOUT)));
    check(vec![say("220-a\r\n"), Act::Hang], Err(Failure::TimedOut(Step::Greeting, TIMEOUT)));
    check(vec![say("220 a\r\n"), HELO], Err(Failure::Closed(Step::Hello)));
    check(vec![say("220 a\r\n"), HELO, say("250 a\r\n"), QUIT], Err(Failure::Closed(Step::Quit)));
}

#[test]
fn a_reply_has_an_end() {
    let too_long = || Err(Failure::TooLong(Step::Greeting, 65_536));
    check(vec![Act::SayForEver(vec![b'x'; 1000])], too_long());
    check(vec![Act::SayForEver(b"220-more\r\n".to_vec())], too_long());
}
