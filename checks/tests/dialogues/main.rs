//! Every dialogue against servers on loopback: well-behaved ones, and one that misbehaves in every way we could think
//! of. Verdicts are those of behaviour.md section 8 or of the RFC that a test names.
#![cfg(test)]
#![forbid(unsafe_code)]

mod connections;
mod datagrams;
mod evil;
mod http;
mod http2;
mod server;
mod smtp;
mod tls;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use keepalived_config::model::{Endpoint, Schedule};

/// `connect_timeout` of most tests: nothing on loopback takes as long.
const TIMEOUT: Duration = Duration::from_millis(400);

/// Runs on a runtime as the checker process has it.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        address: address.ip(),
        port: NonZeroU16::new(address.port()),
        connect_timeout: TIMEOUT.into(),
        origin: None,
    }
}

fn schedule() -> Schedule {
    let second = Duration::from_secs(1).into();
    Schedule {
        delay_loop: second,
        delay_before_retry: second,
        warmup: second,
        retry: 0,
        alpha: false,
        log_all_failures: false,
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
