//! `metrics_listen`: metrics, the status page and what it is drawn from, by HTTP. Everything is read-only, unless there is a token
//! (`actions`).

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener as StandardListener};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use keepalived_core::time::Instant;
use keepalived_kernel::reactor;
use keepalived_surface::{metrics, page, status};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::control::with_scene;
use super::world::World;

mod actions;
mod patient;

use actions::{Guesses, MOST_CHANGES};
use patient::Patient;

/// Connections at a time. More wait in the kernel.
const MOST_CONNECTIONS: usize = 256;

/// Pages that are open at a time: they leave room for others who ask.
const MOST_PAGES: usize = 192;

/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest head of a request, in octets.
const LARGEST_HEAD: usize = 16 * 1024;

/// Pause after a connection could not be accepted: descriptors are short.
const PAUSE: Duration = Duration::from_millis(200);

/// From one word to a page that is open to the next: each costs it a new look.
const TICK: Duration = Duration::from_secs(1);

/// A page says that its data are old if it hears nothing for five seconds.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A document that is younger serves all who ask.
const FRESH_FOR: Duration = Duration::from_millis(900);

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// What is served, and what was made of it last.
struct Site {
    world: Rc<World>,
    documents: RefCell<Documents>,
    pages: Arc<Semaphore>,
    guesses: RefCell<Guesses>,
    /// For changes that are being made.
    changes: Semaphore,
    /// The listener is on this machine only, so requests must be for it: a page from elsewhere could ask by a name of its own.
    is_local: bool,
}

/// Documents that were made, and when.
#[derive(Default)]
struct Documents {
    status: Option<(Instant, Bytes)>,
    events: Option<(Instant, Bytes)>,
}

/// Serves a socket that listens until the task is ended.
///
/// # Errors
/// It is no such socket.
pub(super) fn serve(socket: OwnedFd, world: Rc<World>) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::from_std(StandardListener::from(socket))?;
    let is_local = listener.local_addr()?.ip().is_loopback();
    let site = Rc::new(Site {
        world,
        documents: RefCell::default(),
        pages: Arc::new(Semaphore::new(MOST_PAGES)),
        guesses: RefCell::default(),
        changes: Semaphore::new(MOST_CHANGES),
        is_local,
    });
    Ok(tokio::task::spawn_local(async move {
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((connection, source)) => {
                    let site = Rc::clone(&site);
                    tokio::task::spawn_local(async move {
                        converse(connection, source.ip().to_canonical(), site).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!("metrics_listen: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }))
}

async fn converse(connection: TcpStream, source: IpAddr, site: Rc<Site>) {
    connection.set_nodelay(true).ok();
    let service = service_fn(move |request| {
        let site = Rc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request, source).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(connection)), service)
        .await;
    // what goes wrong is the caller's business
    if let Err(error) = served {
        tracing::debug!("metrics_listen: {error}");
    }
}

impl Site {
    async fn answer(&self, request: Request<Incoming>, source: IpAddr) -> Answer {
        let is_change = *request.method() == Method::POST && self.has_actions();
        if !is_change && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET: nothing can be changed here.\n");
        }
        if self.is_local && !is_for_this_machine(&request) {
            return plain(StatusCode::MISDIRECTED_REQUEST, "Ask by 127.0.0.1, ::1 or localhost.\n");
        }
        if is_change {
            return self.act(request, source).await;
        }
        match request.uri().path() {
            "/" => page_part("text/html; charset=utf-8", page::HTML),
            "/page.css" => page_part("text/css; charset=utf-8", page::CSS),
            "/page.js" => page_part("text/javascript; charset=utf-8", page::SCRIPT),
            "/actions.js" => page_part("text/javascript; charset=utf-8", page::ACTIONS_SCRIPT),
            "/metrics" => {
                self.world.refresh().await;
                self.metrics()
            }
            "/status.json" => {
                let made = self.made(|documents| &mut documents.status, status::document).await;
                let mut answer = with_type("application/json", made);
                if self.has_actions() {
                    answer.headers_mut().insert(page::ACTIONS, HeaderValue::from_static("token"));
                }
                answer
            }
            "/events.json" => {
                let all = |scene: &status::Scene<'_>| {
                    let records = status::events(scene, None);
                    let newest =
                        records.iter().rev().take(page::MOST_EVENTS).map(|record| status::event_document(record));
                    serde_json::Value::from_iter(newest).to_string()
                };
                let made = self.made(|documents| &mut documents.events, all).await;
                with_type("application/json", made)
            }
            // without its body it would be a task for nothing
            "/live" if *request.method() == Method::HEAD => with_type("text/event-stream", Bytes::new()),
            "/live" => self.live(),
            _ => plain(StatusCode::NOT_FOUND, "There are /, /metrics, /status.json and /events.json.\n"),
        }
    }

    /// A document that is fresh enough, or a new one: a hundred pages that are open cost no more than one.
    async fn made(
        &self,
        which: impl Fn(&mut Documents) -> &mut Option<(Instant, Bytes)>,
        make: impl FnOnce(&status::Scene<'_>) -> String,
    ) -> Bytes {
        let is_fresh = |(at, _): &&(Instant, Bytes)| reactor::now().since(*at) < FRESH_FOR;
        if let Some((_, there)) = which(&mut self.documents.borrow_mut()).as_ref().filter(is_fresh) {
            return there.clone();
        }
        self.world.refresh().await;
        // another one may have made it meanwhile
        if let Some((_, there)) = which(&mut self.documents.borrow_mut()).as_ref().filter(is_fresh) {
            return there.clone();
        }
        let made = Bytes::from(with_scene(&self.world, make));
        *which(&mut self.documents.borrow_mut()) = Some((reactor::now(), made.clone()));
        made
    }

    /// The metrics, part by part: a large site has many.
    fn metrics(&self) -> Answer {
        let (sender, parts) = mpsc::channel(1);
        let world = Rc::clone(&self.world);
        tokio::task::spawn_local(async move {
            for number in 0.. {
                let Some(text) = with_scene(&world, |scene| metrics::part(scene, world.posts(), number)) else {
                    return;
                };
                if !text.is_empty() && sender.send(Bytes::from(text)).await.is_err() {
                    return;
                }
            }
        });
        let mut answer = Response::new(BodyExt::boxed(Pieces(parts)));
        headers(&mut answer, metrics::CONTENT_TYPE);
        answer
    }

    /// Server-sent events: a word each time that something is different, and now and then otherwise.
    fn live(&self) -> Answer {
        let Ok(place) = Arc::clone(&self.pages).try_acquire_owned() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open.\n");
        };
        let (word, words) = mpsc::channel(1);
        let mut changes = self.world.changes();
        tokio::task::spawn_local(async move {
            let _place = place;
            loop {
                let text = match tokio::time::timeout(HEARTBEAT, changes.changed()).await {
                    Ok(Ok(())) => "event: changed\ndata:\n\n",
                    Ok(Err(_)) => return,
                    Err(_) => "event: alive\ndata:\n\n",
                };
                if word.send(Bytes::from_static(text.as_bytes())).await.is_err() {
                    return;
                }
                tokio::time::sleep(TICK).await;
            }
        });
        let mut answer = Response::new(BodyExt::boxed(Pieces(words)));
        headers(&mut answer, "text/event-stream");
        answer
    }
}

/// Pieces of a body that come one by one.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|word| word.map(|word| Ok(Frame::data(word))))
    }
}

/// Whether a request names this machine by an address, or as `localhost`.
fn is_for_this_machine(request: &Request<Incoming>) -> bool {
    let Some(host) = request.headers().get(HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|octet| octet.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

fn page_part(kind: &'static str, text: &'static str) -> Answer {
    with_type(kind, Bytes::from_static(text.as_bytes()))
}

fn with_type(kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(BodyExt::boxed(Full::new(body)));
    headers(&mut answer, kind);
    answer
}

fn plain(status: StatusCode, words: &'static str) -> Answer {
    text(status, words.to_owned())
}

fn text(status: StatusCode, text: String) -> Answer {
    let mut answer = with_type("text/plain; charset=utf-8", Bytes::from(text));
    *answer.status_mut() = status;
    answer
}

/// Nothing is fetched from elsewhere, shown elsewhere, or kept.
fn headers(answer: &mut Answer, kind: &'static str) {
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, page::POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}
