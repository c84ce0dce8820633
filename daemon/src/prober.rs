//! The prober: asks what `vrrp_track_probe` names, for the vrrp process, which must not wait. It decides nothing: each order is one
//! question, and gets one answer.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use keepalived_checks::{Failure, Tls, Trust};
use keepalived_config::model::{
    Config, Endpoint, HttpCheck, HttpProtocol, PingCheck, ProbeTarget, Schedule, Sni, Ssl, StatusRange, TcpCheck, Url,
};
use keepalived_kernel::process;
use keepalived_kernel::reactor::{Interest, Nested, Reactor, Ready, Token};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::child::{self, End, FROM_SUPERVISOR, NotStarted};
use crate::connection::Connection;
use crate::exit;
use crate::log;
use crate::message::{self, FromChild, Incoming, ProbeEnded, ProbeOrder, ProbeResult, Startup, ToChild};

const FROM_VRRP: Token = Token(1);

/// From one look at messages that wait to the next.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Runs the prober until it is told to stop; returns its exit status.
pub(crate) fn run() -> u8 {
    child::run(Prober::with, Prober::run)
}

struct Prober {
    supervisor: Connection,
    /// `None` once the loop has begun.
    reactor: Option<Reactor>,
    vrrp: Option<Connection>,
    asker: Rc<Asker>,
    _log: log::Guard,
}

impl Prober {
    fn with(startup: Startup, reactor: Reactor, supervisor: Connection) -> Result<Self, NotStarted> {
        child::name(startup.config.global.process_name.as_deref());
        process::raise_descriptor_limit().ok();
        let log = log::start_anyway(
            &startup.log,
            log::Speaker { ident: "Keepalived_prober", process: "prober", log: &startup.config.global.log },
        );
        // it speaks with servers that others run
        process::drop_capabilities(&[])?;
        Ok(Self { supervisor, reactor: Some(reactor), vrrp: None, asker: Rc::default(), _log: log })
    }

    fn run(&mut self) -> u8 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, self.serve())) {
            Ok(status) => status,
            Err(error) => {
                tracing::error!("waiting failed: {error}");
                exit::FATAL
            }
        }
    }

    async fn serve(&mut self) -> io::Result<u8> {
        let mut reactor = Nested::new(self.reactor.take().ok_or(io::ErrorKind::NotConnected)?)?;
        let (tell, mut told) = mpsc::unbounded_channel();
        self.supervisor.say(&FromChild::Ready);
        let mut ready = Vec::new();
        loop {
            self.take_orders(&tell);
            ready.clear();
            let is_behind = self.supervisor.is_behind() || self.vrrp.as_ref().is_some_and(Connection::is_behind);
            tokio::select! {
                biased;
                came = reactor.ready(&mut ready) => came?,
                answer = told.recv() => self.answer(answer),
                () = tokio::time::sleep(CATCH_UP), if is_behind => {
                    self.supervisor.catch_up();
                    self.vrrp.as_mut().into_iter().for_each(Connection::catch_up);
                }
            }
            for ready in &ready {
                let end = match ready {
                    Ready::Signal(signal) => child::on_signal(*signal, &mut self.supervisor),
                    Ready::Descriptor { token: FROM_SUPERVISOR, .. } => self.listen(reactor.reactor()),
                    // each turn takes orders
                    Ready::Descriptor { .. } | Ready::Deadline => None,
                };
                if end.is_some() {
                    tracing::info!("Stopped");
                    return Ok(exit::OK);
                }
            }
        }
    }

    fn listen(&mut self, reactor: &mut Reactor) -> Option<End> {
        let take = |prober: &mut Self, message, descriptor| prober.on_message(message, descriptor, reactor);
        child::listen(self, |prober| &mut prober.supervisor, take)
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>, reactor: &mut Reactor) -> io::Result<()> {
        match message {
            // orders say all that there is to know of probes
            ToChild::Reload => {
                let reloaded = message::content::<Config>(descriptor).map(|config| log::configure(&config.global.log));
                child::answer_reload(&mut self.supervisor, reloaded);
            }
            ToChild::Peer(_) => {
                let peer = child::peer(descriptor)?;
                // the one before is gone, and its descriptor closes
                self.vrrp = None;
                reactor.register(&peer, FROM_VRRP, Interest::Read)?;
                self.vrrp = Some(peer);
            }
            ToChild::Hello(_)
            | ToChild::Stop
            | ToChild::Start
            | ToChild::Orders
            | ToChild::Roster
            | ToChild::Refresh(_)
            | ToChild::Announce(_)
            | ToChild::Seen(_)
            | ToChild::Door(_)
            | ToChild::Text
            | ToChild::Secrets(_)
            | ToChild::Connected(..) => {}
        }
        Ok(())
    }

    /// Begins what the vrrp process asks for: of each probe one question at a time, so they do not grow without end.
    fn take_orders(&mut self, tell: &mpsc::UnboundedSender<ProbeEnded>) {
        loop {
            let Some(vrrp) = &mut self.vrrp else { return };
            match vrrp.hear::<ProbeOrder>() {
                Ok(Incoming::Message(order, _)) => {
                    let (asker, tell) = (Rc::clone(&self.asker), tell.clone());
                    tokio::task::spawn_local(async move {
                        let result = asker.ask(&order).await;
                        // nothing hears it at the end of this process
                        tell.send(ProbeEnded { id: order.id, result }).ok();
                    });
                }
                Ok(Incoming::Nothing) => return,
                Ok(Incoming::Closed) => self.vrrp = None,
                Err(error) => {
                    tracing::error!("message from the vrrp process: {error}");
                    self.vrrp = None;
                }
            }
        }
    }

    fn answer(&mut self, answer: Option<ProbeEnded>) {
        let Some(answer) = answer else { return };
        // a vrrp process that came meanwhile knows no such number
        if let Some(vrrp) = &mut self.vrrp {
            vrrp.say(&answer);
        }
    }
}

/// What all questions share.
#[derive(Default)]
struct Asker {
    /// Made when the first question needs it.
    tls: RefCell<Option<Tls>>,
    /// The kernel was asked to let us ping.
    may_ping: OnceCell<()>,
}

impl Asker {
    /// Asks once. Whatever the server does, the answer is there when the time is over.
    async fn ask(&self, order: &ProbeOrder) -> ProbeResult {
        let origin = order.origin.map(Box::new);
        let endpoint =
            |address, port| Endpoint { address, port, connect_timeout: order.timeout.into(), origin: origin.clone() };
        match &order.target {
            ProbeTarget::Tcp { address, port } => {
                let check = TcpCheck { schedule: Schedule::default(), endpoint: endpoint(*address, Some(*port)) };
                within(order, keepalived_checks::tcp(&check)).await
            }
            ProbeTarget::Ping { address } => {
                self.may_ping.get_or_init(allow_ping);
                let check = PingCheck { schedule: Schedule::default(), endpoint: endpoint(*address, None) };
                within(order, keepalived_checks::ping(&check)).await
            }
            ProbeTarget::Http { address, port, secure, path } => {
                let url = Url {
                    path: path.clone(),
                    status_codes: vec![StatusRange::SUCCESS],
                    digest: None,
                    virtualhost: None,
                    tls_compliant: false,
                    regex: None,
                };
                let check = HttpCheck {
                    schedule: Schedule::default(),
                    endpoint: endpoint(*address, Some(*port)),
                    secure: *secure,
                    verify: false,
                    protocol: HttpProtocol::V1_1,
                    sni: Sni::Off,
                    fast_recovery: false,
                    tls_compliant: false,
                    virtualhost: None,
                    urls: Vec::new(),
                };
                match self.tls() {
                    Ok(tls) => within(order, keepalived_checks::http(&check, &url, None, &tls)).await,
                    Err(why) => ProbeResult::Unknown(why),
                }
            }
        }
    }

    fn tls(&self) -> Result<Tls, String> {
        let mut tls = self.tls.borrow_mut();
        if let Some(tls) = &*tls {
            return Ok(tls.clone());
        }
        let made = Tls::new(&Ssl::default(), Trust::Anyone).map_err(|error| error.to_string())?;
        Ok(tls.insert(made).clone())
    }
}

/// The file belongs to our user: that takes no capability.
fn allow_ping() {
    if let Err(error) = keepalived_kernel::dial::allow_ping(0) {
        tracing::warn!("ping of a vrrp_track_probe may fail: cannot change net.ipv4.ping_group_range: {error}");
    }
}

/// Each step of a dialogue has its time; all of it together has no more.
async fn within(order: &ProbeOrder, dialogue: impl Future<Output = Result<(), Failure>>) -> ProbeResult {
    match tokio::time::timeout(order.timeout, Box::pin(dialogue)).await {
        Ok(Ok(())) => ProbeResult::Passed,
        Ok(Err(failure @ Failure::Local(..))) => ProbeResult::Unknown(failure.to_string()),
        Ok(Err(failure)) => ProbeResult::Failed(failure.to_string()),
        Err(_) => ProbeResult::Failed(format!("no answer within {} s", order.timeout.as_secs_f32())),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::num::NonZeroU16;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn order(target: ProbeTarget) -> ProbeOrder {
        ProbeOrder { id: 1, target, origin: None, timeout: Duration::from_secs(60) }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, future)
    }

    async fn listen() -> (TcpListener, NonZeroU16) {
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let port = NonZeroU16::new(listener.local_addr().unwrap().port()).unwrap();
        (listener, port)
    }

    #[test]
    fn a_port_is_open_or_not() {
        block_on(async {
            let (listener, port) = listen().await;
            let order = order(ProbeTarget::Tcp { address: HERE, port });
            assert_eq!(Asker::default().ask(&order).await, ProbeResult::Passed);
            drop(listener);
            assert!(matches!(Asker::default().ask(&order).await, ProbeResult::Failed(_)));
        });
    }

    #[test]
    fn a_page_is_there_or_not() {
        for (status, is_good) in [("200 OK", true), ("404 Not Found", false)] {
            block_on(async {
                let (listener, port) = listen().await;
                let server = tokio::task::spawn_local(async move {
                    let (mut client, _) = listener.accept().await.unwrap();
                    let mut room = [0; 1024];
                    let length = client.read(&mut room).await.unwrap();
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    client.write_all(answer.as_bytes()).await.unwrap();
                    String::from_utf8(room[..length].to_vec()).unwrap()
                });
                let target = ProbeTarget::Http { address: HERE, port, secure: false, path: "/well".into() };
                let result = Asker::default().ask(&order(target)).await;
                assert_eq!(result == ProbeResult::Passed, is_good, "{result:?}");
                let asked = server.await.unwrap();
                assert!(asked.starts_with("GET /well HTTP/1.1\r\n"), "{asked}");
                assert!(asked.contains(&format!("Host: 127.0.0.1:{port}")), "{asked}");
            });
        }
    }

    /// It takes the connection, and a bit of an answer comes now and then, without end.
    #[test]
    fn a_server_that_never_ends_its_answer_has_its_time_and_no_more() {
        block_on(async {
            let (listener, port) = listen().await;
            tokio::task::spawn_local(async move {
                let (mut client, _) = listener.accept().await.unwrap();
                while client.write_all(b"H").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
            let target = ProbeTarget::Http { address: HERE, port, secure: false, path: "/".into() };
            let order = ProbeOrder { timeout: Duration::from_millis(100), ..order(target) };
            assert!(matches!(Asker::default().ask(&order).await, ProbeResult::Failed(_)));
        });
    }
}
