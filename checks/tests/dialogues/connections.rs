//! `TCP_CHECK`, and what all checks have in common.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use keepalived_checks::{Failure, Step, tcp};
use keepalived_config::model::{Endpoint, Origin, TcpCheck};
use keepalived_core::address::InterfaceName;
use tokio::net::TcpListener;

use crate::{LOOPBACK, TIMEOUT, endpoint, run, schedule};

fn check(endpoint: Endpoint) -> Result<(), Failure> {
    run(tcp(&TcpCheck { schedule: schedule(), endpoint }))
}

/// A listener that nobody asks to accept: connecting is all.
fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn it_connects() {
    let (_listener, address) = listener();
    assert_eq!(check(endpoint(address)), Ok(()));
}

#[test]
fn nobody_listens() {
    let (listener, address) = listener();
    drop(listener);
    assert_eq!(check(endpoint(address)).unwrap_err().to_string(), "connection refused");
}

#[test]
fn there_is_no_port() {
    let endpoint = Endpoint { port: None, ..endpoint(SocketAddr::new(LOOPBACK, 1)) };
    assert_eq!(check(endpoint), Err(Failure::NoPort));
}

/// A full queue drops what comes: the only black hole that needs no firewall.
#[test]
fn nobody_answers() {
    let result = run(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let _queued = tokio::net::TcpStream::connect(address).await.unwrap();
        let started = Instant::now();
        let result = tcp(&TcpCheck { schedule: schedule(), endpoint: endpoint(address) }).await;
        assert!(started.elapsed() < TIMEOUT + Duration::from_millis(200));
        result
    });
    assert_eq!(result, Err(Failure::TimedOut(Step::Connect, TIMEOUT)));
}

#[test]
fn it_comes_from_where_it_is_told() {
    run(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        // a port that was free a moment ago
        let port = std::net::TcpListener::bind("127.0.0.9:0").unwrap().local_addr().unwrap().port();
        let both = Origin { address: Some([127, 0, 0, 9].into()), port: NonZeroU16::new(port), ..Origin::default() };
        for origin in [both, both, Origin { port: None, ..both }, Origin { address: None, ..both }] {
            let endpoint = Endpoint { origin: Some(Box::new(origin)), ..endpoint(address) };
            let check = TcpCheck { schedule: schedule(), endpoint };
            let (result, accepted) = tokio::join!(tcp(&check), listener.accept());
            assert_eq!(result, Ok(()), "{origin:?}");
            let (_, from) = accepted.unwrap();
            assert_eq!(from.ip(), origin.address.unwrap_or(LOOPBACK));
            assert!(origin.port.is_none_or(|port| port.get() == from.port()));
        }
    });
}

#[test]
fn it_leaves_through_the_interface_with_the_mark() {
    let (_listener, address) = listener();
    let from = |name: &[u8]| {
        let origin = Origin { interface: InterfaceName::new(name), fwmark: 7, ..Origin::default() };
        check(Endpoint { origin: Some(Box::new(origin)), ..endpoint(address) })
    };
    // without CAP_NET_ADMIN there is nothing to see here
    if from(b"lo") == Err(Failure::Local(1)) {
        return;
    }
    assert_eq!(from(b"lo"), Ok(()));
    assert_eq!(from(b"nosuch0"), Err(Failure::Local(19)));
}

#[test]
fn an_origin_that_is_not_ours_is_named() {
    let (_listener, address) = listener();
    let origin = Origin { address: Some([192, 0, 2, 1].into()), ..Origin::default() };
    let failure = check(Endpoint { origin: Some(Box::new(origin)), ..endpoint(address) }).unwrap_err();
    assert_eq!(failure, Failure::Local(99));
    assert_eq!(failure.to_string(), "this machine cannot ask: cannot assign requested address");
}
