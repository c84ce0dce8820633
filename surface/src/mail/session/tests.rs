use std::time::UNIX_EPOCH;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// A server that answers each line with the next of `answers`, and returns what it heard. The message counts as one line.
async fn server(answers: &[&str]) -> (Relay, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let (mut heard, mut in_message) = (String::new(), false);
        for answer in answers {
            stream.get_mut().write_all(answer.as_bytes()).await.ok();
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return heard;
                }
                heard.push_str(&line);
                if !in_message || line == ".\r\n" {
                    break;
                }
            }
            in_message = heard.ends_with("DATA\r\n");
        }
        heard
    });
    (relay(port), heard)
}

fn relay(port: u16) -> Relay {
    Relay {
        host: "127.0.0.1".to_owned(),
        port,
        helo: "lb".to_owned(),
        patience: Duration::from_millis(300),
        protection: Protection::None,
        account: None,
    }
}

fn envelope() -> Envelope {
    Envelope::new("KA <ka@example.net>", &["root".to_owned(), "Ops <ops@example.net>".to_owned()])
}

const MESSAGE: Message<'_> =
    Message { subject: "[lab] VRRP Instance V - Stopping", body: "b", at: UNIX_EPOCH, ahead: 0, id: "1" };
const HELLO: [&str; 2] = ["220 here\r\n", "250-here\r\n250 8BITMIME\r\n"];

#[tokio::test]
async fn a_recipient_that_is_refused_keeps_no_other_from_the_mail() {
    let answers =
        [&HELLO[..], &["250 ok\r\n", "550 no root\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 bye\r\n"]];
    let (relay, heard) = server(&answers.concat()).await;
    let mut session = Session::open(&relay).await.unwrap();
    let refused = session.send(&envelope(), &MESSAGE).await.unwrap();
    session.close().await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, "root");
    let heard = heard.await.unwrap();
    let expected = "EHLO lb\r\nMAIL FROM:<ka@example.net>\r\nRCPT TO:<root>\r\nRCPT TO:<ops@example.net>\r\nDATA\r\n";
    assert!(heard.starts_with(expected), "{heard}");
    assert!(heard.ends_with("\r\n\r\n=> b <=\r\n\r\n.\r\nQUIT\r\n"), "{heard}");
}

#[tokio::test]
async fn a_message_that_is_refused_leaves_the_session_to_the_next() {
    let answers = [
        &HELLO[..],
        &["553 who?\r\n", "250 reset\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n"],
    ];
    let (relay, _heard) = server(&answers.concat()).await;
    let mut session = Session::open(&relay).await.unwrap();
    assert!(matches!(session.send(&envelope(), &MESSAGE).await, Err(Failure::Refused(why)) if why.contains("who?")));
    assert_eq!(session.send(&envelope(), &MESSAGE).await, Ok(Vec::new()));
}

#[tokio::test]
async fn no_server_keeps_us_waiting_or_grows_in_memory() {
    let passing = |result: Result<Session, Failure>| assert!(matches!(result, Err(Failure::Passing(_))), "{result:?}");
    // nobody listens
    passing(Session::open(&relay(1)).await);
    // it says nothing; it says no; it knows no EHLO; what it says is nothing that we know
    for answers in [&[""][..], &["554 go away\r\n"], &["220 here\r\n", "502 what?\r\n"], &["\u{fffd}hello\r\n"]] {
        let (relay, _heard) = server(answers).await;
        passing(Session::open(&relay).await);
    }
    // a line without an end, and a reply without an end
    for piece in ["x", "220-more\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let flood = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let octets = piece.repeat(4096);
            let mut sent = 0;
            while stream.write_all(octets.as_bytes()).await.is_ok() {
                sent += octets.len();
            }
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok();
            sent
        });
        passing(Session::open(&relay(port)).await);
        // buffers of the kernel hold some more
        assert!(flood.await.unwrap() < MOST_OCTETS + (16 << 20));
    }
}

#[tokio::test]
async fn without_protection_nothing_is_said_where_it_is_wanted() {
    let (plain, heard) = server(&HELLO).await;
    let account = Some(Account { user: "u".to_owned(), password: "secret".to_owned() });
    let relay = Relay { protection: Protection::StartTls, account, ..plain };
    assert!(matches!(Session::open(&relay).await, Err(Failure::Passing(why)) if why.contains("STARTTLS")));
    assert!(!format!("{relay:?}").contains("secret"));
    assert!(!heard.await.unwrap().contains("AUTH"));
}

/// What comes of a message when a server answers so after EHLO.
async fn sent(answers: &[&str]) -> Result<Refused, Failure> {
    let (relay, _heard) = server(&[&HELLO[..], answers].concat()).await;
    Session::open(&relay).await.unwrap().send(&envelope(), &MESSAGE).await
}

/// Begins of answers: the first is up to the recipients, the second up to the message.
const RECIPIENTS: [&str; 1] = ["250 ok\r\n"];
const CONTENT: [&str; 4] = ["250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"];

#[tokio::test]
async fn a_server_that_says_later_gets_it_later() {
    let later = [&RECIPIENTS[..], &["450 greylisted\r\n", "550 nobody\r\n", "250 reset\r\n"]].concat();
    assert!(matches!(sent(&later).await, Err(Failure::Postponed(why)) if why.contains("greylisted")));
    let later = [&CONTENT[..], &["452 disk full\r\n"]].concat();
    assert!(matches!(sent(&later).await, Err(Failure::Postponed(why)) if why.contains("disk full")));
}

/// RFC 5321 §3.8: 421 may answer every command.
#[tokio::test]
async fn a_server_that_closes_says_nothing_about_the_message() {
    let closing = ["421 bye\r\n"];
    for before in [&[][..], &RECIPIENTS, &CONTENT[..2], &CONTENT[..3], &CONTENT] {
        let answer = sent(&[before, &closing].concat()).await;
        assert!(matches!(&answer, Err(Failure::Passing(why)) if why.contains("bye")), "{answer:?}");
    }
}

#[tokio::test]
async fn what_answers_something_else_ends_the_session() {
    // a message for one who did not ask for it would be read as commands
    for answers in [
        &[&CONTENT[..3], &["250 ok\r\n"]].concat()[..],
        &["354 go\r\n"],
        &["150 wait\r\n"],
        &["\u{fffd}\r\n"],
        &["25\r\n"],
        &["250\r\n250 ok\r\n", "990 what\r\n"],
    ] {
        let answer = sent(answers).await;
        assert!(matches!(answer, Err(Failure::Passing(_))), "{answers:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_message_without_an_answer_is_told_from_one_that_was_not_taken() {
    // the server is gone, or says nothing, or nothing that we know
    for last in [None, Some(""), Some("what?\r\n")] {
        let answers: Vec<&str> = CONTENT.into_iter().chain(last).collect();
        let answer = sent(&answers).await;
        assert!(matches!(answer, Err(Failure::Unanswered(_))), "{last:?}: {answer:?}");
    }
    let answer = sent(&CONTENT[..3]).await;
    assert!(matches!(answer, Err(Failure::Passing(_))), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_says_much_each_time_does_not_end_a_long_session() {
    let long = format!("250 {}\r\n", "x".repeat(900));
    let one = [&long, &long, &long, "354 go\r\n", &long].map(str::to_owned);
    let answers: Vec<String> =
        HELLO.iter().map(|text| (*text).to_owned()).chain((0..20).flat_map(|_| one.clone())).collect();
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    let (relay, _heard) = server(&answers).await;
    let mut session = Session::open(&relay).await.unwrap();
    for number in 0..20 {
        assert_eq!(session.send(&envelope(), &MESSAGE).await, Ok(Vec::new()), "{number}");
    }
}

/// "NO STARTTLS" (USENIX Security 2021): an answer before TLS must not count after it.
#[tokio::test]
async fn what_comes_behind_the_answer_to_starttls_is_not_believed() {
    let answers = ["220 here\r\n", "250-here\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"];
    let (plain, _heard) = server(&answers).await;
    let relay = Relay { protection: Protection::StartTls, patience: Duration::from_secs(5), ..plain };
    let answer = Session::open(&relay).await;
    // TLS reads it, and does not understand
    assert!(matches!(&answer, Err(Failure::Passing(why)) if why.contains("corrupt")), "{answer:?}");
}

#[tokio::test]
async fn our_name_is_one_word_of_one_line() {
    let (plain, heard) = server(&HELLO).await;
    let relay = Relay { helo: "lb\r\nMAIL FROM:<x>".to_owned(), ..plain };
    drop(Session::open(&relay).await);
    let heard = heard.await.unwrap();
    assert_eq!(heard.lines().count(), 1, "{heard}");
}

#[tokio::test]
async fn an_address_that_does_not_answer_keeps_no_other_from_it() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = socket.listen(1).unwrap();
    let silent_address = silent.local_addr().unwrap();
    // until it takes no more
    let patience = Duration::from_millis(200);
    let mut held = Vec::new();
    while let Ok(stream) = connect_to([silent_address].into_iter(), patience).await {
        held.push(stream);
        assert!(held.len() < 100);
    }
    let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good_address = good.local_addr().unwrap();
    let stream = connect_to([silent_address, good_address].into_iter(), patience).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good_address);
}
