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

#[tokio::test]
async fn a_server_that_says_later_gets_it_later() {
    let answers = [&HELLO[..], &["250 ok\r\n", "450 greylisted\r\n", "550 nobody\r\n", "250 reset\r\n"]];
    let (relay, _heard) = server(&answers.concat()).await;
    let mut session = Session::open(&relay).await.unwrap();
    assert!(
        matches!(session.send(&envelope(), &MESSAGE).await, Err(Failure::Passing(why)) if why.contains("greylisted"))
    );
}
