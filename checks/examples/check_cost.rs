//! What a check costs: `check_cost tcp|http CHECKS_PER_SECOND SECONDS [ADDRESS:PORT]`. Without an address it starts a
//! server of its own in another process. Prints CPU time per check, and how late checks began and ended.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::process::{Command, ExitCode, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use keepalived_checks::{Failure, Tls, Trust, http, tcp};
use keepalived_config::model::{Endpoint, HttpCheck, HttpProtocol, Schedule, Sni, Ssl, StatusRange, TcpCheck, Url};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, LocalOptions};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve(),
        [kind @ ("tcp" | "http"), rate, seconds, target @ ..] => {
            let (Ok(rate), Ok(seconds)) = (rate.parse(), seconds.parse()) else { return ExitCode::FAILURE };
            measure(kind, rate, seconds, target.first().and_then(|target| target.parse().ok()));
            ExitCode::SUCCESS
        }
        _ => {
            println!("check_cost tcp|http CHECKS_PER_SECOND SECONDS [ADDRESS:PORT]");
            ExitCode::FAILURE
        }
    }
}

const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

/// Answers everybody, one after the other: on loopback a request is there as soon as its connection is.
fn serve() -> ExitCode {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return ExitCode::FAILURE };
    let Ok(address) = listener.local_addr() else { return ExitCode::FAILURE };
    println!("{address}");
    let mut buffer = [0; 1024];
    for mut stream in listener.incoming().flatten() {
        let asked = stream.read(&mut buffer).is_ok_and(|length| length > 0);
        if asked {
            stream.write_all(ANSWER).ok();
        }
    }
    ExitCode::SUCCESS
}

fn measure(kind: &str, rate: u32, seconds: u32, target: Option<SocketAddr>) {
    let own = target.is_none().then(|| {
        let program = std::env::current_exe().expect("this program runs");
        let server = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn();
        server.expect("it starts a second time")
    });
    let mut own = own;
    let announced = own.as_mut().and_then(|server| server.stdout.take()).map(|output| {
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).ok();
        line
    });
    let target = target.or_else(|| announced?.trim().parse().ok()).expect("the server says where it is");
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).expect("a runtime");
    let probe = Rc::new(Probe::new(kind, target));
    let before = cpu();
    let results = runtime.block_on(run(probe, rate, seconds));
    let spent = cpu().saturating_sub(before);
    if let Some(mut server) = own {
        server.kill().ok();
        server.wait().ok();
    }
    report(kind, spent, &results);
}

struct Outcome {
    late: Duration,
    took: Duration,
    result: Result<(), Failure>,
}

/// One check each `1 / rate` seconds, each in a task of its own.
async fn run(probe: Rc<Probe>, rate: u32, seconds: u32) -> Vec<Outcome> {
    let started = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..rate.saturating_mul(seconds) {
        let due = started + Duration::from_secs(1) / rate * number;
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        let probe = Rc::clone(&probe);
        tasks.push(tokio::task::spawn_local(async move {
            let begun = Instant::now();
            let result = probe.run().await;
            Outcome { late: begun.saturating_duration_since(due), took: begun.elapsed(), result }
        }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.extend(task.await);
    }
    outcomes
}

enum Probe {
    Tcp(TcpCheck),
    Http(Box<HttpCheck>, Tls),
}

impl Probe {
    fn new(kind: &str, target: SocketAddr) -> Self {
        let second = Duration::from_secs(1).into();
        let schedule = Schedule {
            delay_loop: second,
            delay_before_retry: second,
            warmup: second,
            retry: 0,
            alpha: false,
            log_all_failures: false,
        };
        let endpoint = Endpoint {
            address: target.ip(),
            port: NonZeroU16::new(target.port()),
            connect_timeout: Duration::from_secs(5).into(),
            origin: None,
        };
        if kind == "tcp" {
            return Self::Tcp(TcpCheck { schedule, endpoint });
        }
        let url = Url {
            path: "/".into(),
            status_codes: vec![StatusRange::SUCCESS],
            digest: None,
            virtualhost: None,
            tls_compliant: false,
            regex: None,
        };
        let check = HttpCheck {
            verify: false,
            schedule,
            endpoint,
            secure: false,
            protocol: HttpProtocol::V1_0,
            sni: Sni::Off,
            fast_recovery: false,
            tls_compliant: false,
            virtualhost: None,
            urls: vec![url],
        };
        Self::Http(Box::new(check), Tls::new(&Ssl::default(), Trust::Anyone).expect("no files"))
    }

    async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Tcp(check) => tcp(check).await,
            Self::Http(check, tls) => match check.urls.first() {
                Some(url) => http(check, url, None, tls).await,
                None => Ok(()),
            },
        }
    }
}

/// CPU time of this process, in user mode and in the kernel.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

fn report(kind: &str, spent: Duration, outcomes: &[Outcome]) {
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()).collect();
    let count = u32::try_from(outcomes.len()).unwrap_or(u32::MAX).max(1);
    let percentile = |mut times: Vec<Duration>| {
        times.sort_unstable();
        let at = |part: usize| times.get(times.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
        format!("p50 {:?} p99 {:?} max {:?}", at(50), at(99), at(100))
    };
    println!("{kind}: {} checks, {} failed; CPU per check {:?}", outcomes.len(), failed.len(), spent / count);
    println!("  late: {}", percentile(outcomes.iter().map(|outcome| outcome.late).collect()));
    println!("  took: {}", percentile(outcomes.iter().map(|outcome| outcome.took).collect()));
    if let Some(failure) = failed.first() {
        println!("  first failure: {failure}");
    }
}
