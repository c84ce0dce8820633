//! `DNS_CHECK`, `UDP_CHECK`, `PING_CHECK`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use keepalived_checks::{Failure, Step, dns, ping, udp};
use keepalived_config::model::{DnsCheck, DnsQuery, MaskedOctet, PingCheck, UdpCheck, UdpReply};
use tokio::net::UdpSocket;

use crate::{TIMEOUT, endpoint, run, schedule};

/// A server that answers each datagram with what `answers` makes of it.
async fn serve(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            for answer in answers(&buffer[..length]) {
                socket.send_to(&answer, from).await.ok();
            }
        }
    });
    address
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

const REFUSED: Result<(), Failure> = Err(Failure::System(Step::Reply, 111));

/// The query with these flags and this response code.
fn response(query: &[u8], flags: u8, code: u8) -> Vec<u8> {
    let mut response = query.to_vec();
    response[2] |= flags;
    response[3] = code;
    response
}

async fn ask(address: SocketAddr) -> Result<(), Failure> {
    let check =
        DnsCheck { schedule: schedule(), endpoint: endpoint(address), query: DnsQuery::A, name: "example.org".into() };
    dns(&check).await
}

/// Observed: no answer is needed; RCODE 3 fails.
#[test]
fn a_name_server_answers() {
    run(async {
        let ask_with = async |code| ask(serve(move |query| vec![response(query, 0x80, code)]).await).await;
        assert_eq!(ask_with(0).await, Ok(()));
        assert_eq!(ask_with(3).await, Err(Failure::ResponseCode(3)));
        assert_eq!(ask_with(2).await, Err(Failure::ResponseCode(2)));
    });
}

#[test]
fn what_is_no_response_is_passed_over() {
    run(async {
        let junk = |query: &[u8]| {
            let other = response(&[&[query[0] ^ 1], &query[1..]].concat(), 0x80, 3);
            vec![
                Vec::new(),
                vec![0; 11],
                vec![0xff; 1400],
                other,
                response(query, 0, 3),
                response(query, 0x80, 0)[..11].to_vec(),
            ]
        };
        assert_eq!(ask(serve(junk).await).await, Err(Failure::TimedOut(Step::Reply, TIMEOUT)));
        let then_good = move |query: &[u8]| [junk(query), vec![response(query, 0x80, 0)]].concat();
        assert_eq!(ask(serve(then_good).await).await, Ok(()));
    });
}

/// Junk for ever does not keep a check for ever.
#[test]
fn a_flood_of_junk_has_an_end() {
    run(async {
        let started = Instant::now();
        let flood = |_: &[u8]| vec![vec![7; 40]; 200];
        assert_eq!(ask(serve(flood).await).await, Err(Failure::TimedOut(Step::Reply, TIMEOUT)));
        assert!(started.elapsed() < TIMEOUT + Duration::from_millis(200));
    });
}

#[test]
fn nobody_is_a_name_server() {
    let started = Instant::now();
    assert_eq!(run(ask(nobody())), REFUSED);
    assert!(started.elapsed() < TIMEOUT);
}

fn udp_check(address: SocketAddr, payload: Option<&[u8]>, reply: Option<UdpReply>) -> UdpCheck {
    UdpCheck { schedule: schedule(), endpoint: endpoint(address), payload: payload.map(Into::into), reply }
}

fn reply(pattern: &[u8]) -> Option<UdpReply> {
    let pattern = pattern.iter().map(|octet| MaskedOctet { value: *octet, mask: 0xff }).collect();
    Some(UdpReply { pattern, min_length: 0, max_length: 255 })
}

/// Observed: silence is success unless a reply is required.
#[test]
fn a_datagram_is_not_refused() {
    run(async {
        let silent = serve(|_| Vec::new()).await;
        assert_eq!(udp(&udp_check(silent, None, None)).await, Ok(()));
        let timed_out = Err(Failure::TimedOut(Step::Reply, TIMEOUT));
        assert_eq!(udp(&udp_check(silent, None, reply(b""))).await, timed_out);
        assert_eq!(udp(&udp_check(nobody(), None, None)).await, REFUSED);
        assert_eq!(udp(&udp_check(nobody(), None, reply(b""))).await, REFUSED);
    });
}

#[test]
fn a_reply_is_compared() {
    run(async {
        let echo = serve(|datagram| vec![datagram.to_vec()]).await;
        assert_eq!(udp(&udp_check(echo, Some(b"ping"), reply(b"pin"))).await, Ok(()));
        assert_eq!(udp(&udp_check(echo, Some(b"ping"), reply(b"pong"))).await, Err(Failure::ReplyData(1)));
        // observed: what is sent without a payload
        assert_eq!(udp(&udp_check(echo, None, reply(b"keepalived check - keepalived ch"))).await, Ok(()));
        let bounded = UdpReply { max_length: 3, ..reply(b"p").unwrap() };
        assert_eq!(udp(&udp_check(echo, Some(b"ping"), Some(bounded))).await, Err(Failure::ReplyLength(4, 0, 3)));
    });
}

#[test]
fn loopback_answers_a_ping() {
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let check = PingCheck { schedule: schedule(), endpoint: endpoint(SocketAddr::new(address, 0)) };
        match run(ping(&check)) {
            // our groups are not in ping_group_range, or there is no IPv6
            Err(Failure::Local(13 | 97 | 99)) => {}
            result => assert_eq!(result, Ok(()), "{address}"),
        }
    }
}
