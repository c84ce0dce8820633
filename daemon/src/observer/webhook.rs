//! `webhook`: posts each event to where the configuration says, one at a time. A receiver that is dead, slow or hostile costs this task, a
//! bounded queue and a counter.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use hyper::body::Bytes;
use keepalived_config::model::{Config, Webhook};
use keepalived_surface::trust::Trust;
use keepalived_surface::webhook::Events;
use tokio::time::Instant;

use super::control::with_scene;
use super::world::World;
use crate::role::Role;

mod exchange;
mod queue;
mod recent;

use exchange::post;
use queue::{Outcome, Queue, Said};
use recent::recent;

/// Records that are taken in before the other tasks of the observer have their turn.
const AT_ONCE: usize = 100;

/// Posts events for as long as the configuration asks for it, until the observer ends.
pub(super) async fn serve(world: Rc<World>) {
    let mut configured = world.configurations();
    loop {
        configured.mark_unchanged();
        let place = world.config().global.webhook.clone();
        if let Some(place) = place {
            if Poster::new(place, &world).run(&world).await == End::Observer {
                return;
            }
            continue;
        }
        world.count_posts(None);
        tokio::select! {
            changed = configured.changed() => if changed.is_err() { return },
            () = world.end() => return,
        }
    }
}

/// What has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The configuration has no webhook any more.
    Webhook,
    Observer,
}

/// A request, and what TLS trusted for it.
type Sending = Pin<Box<dyn Future<Output = (Outcome, Option<Trust>)>>>;

/// Posts to the receiver.
struct Poster {
    place: Webhook,
    queue: Queue,
    events: Events,
    /// Its sync groups are those that `events` knows.
    config: Rc<Config>,
    last_record: u64,
    wholes: u64,
    sending: Option<Sending>,
    /// Read when it is needed first, and again after a failure.
    trust: Option<Trust>,
    /// The next request waits until then.
    due: Option<Instant>,
}

impl Poster {
    fn new(place: Webhook, world: &World) -> Self {
        let config = world.config();
        let mut events = Events::default();
        events.replace(&world.snapshot(), &config.sync_groups);
        Self {
            place,
            queue: Queue::default(),
            events,
            config,
            last_record: world.last_record(),
            wholes: world.wholes(),
            sending: None,
            trust: None,
            due: None,
        }
    }

    async fn run(mut self, world: &Rc<World>) -> End {
        let (mut configured, mut changes) = (world.configurations(), world.changes());
        loop {
            world.count_posts(Some(self.queue.posts()));
            self.queue.said().for_each(say);
            if self.due.is_none() {
                self.begin();
            }
            tokio::select! {
                // the senders live as long as the observer
                _ = changes.changed() => self.look(world).await,
                (outcome, trust) = sent(&mut self.sending) => self.ended(&outcome, trust),
                () = until(self.due) => self.due = None,
                _ = configured.changed() => {
                    self.follow(world);
                    let config = Rc::clone(&self.config);
                    match &config.global.webhook {
                        Some(place) if *place == self.place => {}
                        Some(place) => self.turn_to(place.clone()),
                        None => {
                            self.queue.give_up();
                            self.queue.said().for_each(say);
                            return End::Webhook;
                        }
                    }
                }
                () = world.end() => {
                    self.look(world).await;
                    self.finish(world).await;
                    return End::Observer;
                }
            }
        }
    }

    /// Knows the sync groups of the configuration that is in force now.
    fn follow(&mut self, world: &World) {
        let config = world.config();
        if !Rc::ptr_eq(&config, &self.config) {
            self.events.configure(&config.sync_groups);
            self.config = config;
        }
    }

    /// Takes in what happened.
    async fn look(&mut self, world: &World) {
        // the change that woke us may have come after another configuration, which has not
        self.follow(world);
        let (records, last) = world.records_after(self.last_record);
        let router_id = world.snapshot().router_id.clone();
        let came = usize::try_from(last.saturating_sub(self.last_record)).unwrap_or(usize::MAX);
        self.queue.are_missing(came.saturating_sub(records.len()));
        self.last_record = last;
        let wholes = std::mem::replace(&mut self.wholes, world.wholes());
        let is_whole = wholes != self.wholes;
        // what happened before the observer could be told, at the start of the daemon: the journals have what came since, too
        let is_early = is_whole && wholes == 0 && !has_died(world);
        let records = if is_early { with_scene(world, recent) } else { records };
        for some in records.chunks(AT_ONCE) {
            for record in some {
                for body in self.events.bodies(record, &router_id) {
                    self.queue.push(Bytes::from(body));
                }
            }
            // what comes meanwhile would be in the snapshot already
            if !is_whole {
                tokio::task::yield_now().await;
            }
        }
        if is_whole {
            self.events.replace(&world.snapshot(), &self.config.sync_groups);
        }
    }

    fn begin(&mut self) {
        if let Some(body) = self.queue.begin() {
            self.sending = Some(Box::pin(post(self.place.clone(), body, self.trust.clone())));
        }
    }

    fn ended(&mut self, outcome: &Outcome, trust: Option<Trust>) {
        self.trust = trust;
        let pause = self.queue.ended(outcome);
        self.due = (!pause.is_zero()).then(|| Instant::now() + pause);
    }

    /// Posts to another receiver from now on, which gets what waits, too.
    fn turn_to(&mut self, place: Webhook) {
        self.place = place;
        self.sending = None;
        self.due = None;
        self.queue.begin_anew();
    }

    /// Sends what can be sent at once before the end; the caller's patience is the bound.
    async fn finish(&mut self, world: &World) {
        loop {
            world.count_posts(Some(self.queue.posts()));
            self.begin();
            if self.sending.is_none() {
                return;
            }
            let (outcome, trust) = sent(&mut self.sending).await;
            self.ended(&outcome, trust);
            if self.due.is_some() {
                return;
            }
        }
    }
}

fn say(said: Said) {
    match said {
        Said::Well(line) => tracing::info!("webhook: {line}"),
        Said::Wrong(line) => tracing::warn!("webhook: {line}"),
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Waits for the request that is on its way; for ever if there is none.
async fn sent(sending: &mut Option<Sending>) -> (Outcome, Option<Trust>) {
    let ended = match sending {
        Some(request) => request.await,
        None => std::future::pending().await,
    };
    *sending = None;
    ended
}

/// Whether there was an observer before this one: it has told already.
fn has_died(world: &World) -> bool {
    let snapshot = world.snapshot();
    let name = Role::Observer.to_string();
    snapshot.daemon.processes.iter().any(|process| process.name == name && process.deaths > 0)
}

#[cfg(test)]
mod tests {
    use keepalived_config::model::SyncGroup;
    use keepalived_core::vrrp::{Cause, Priority, State, Transition};
    use keepalived_state::{Event, Record, Snapshot, Subject};
    use tokio::sync::mpsc;

    use super::*;
    use crate::role::Role;
    use crate::secrets::Secrets;
    use crate::seen::Seen;

    /// The two reach the poster in either order.
    #[test]
    fn the_first_states_of_a_group_that_a_reload_brings_are_events_of_it() {
        let world = World::new(Config::default(), Secrets::default(), mpsc::unbounded_channel().0);
        world.replace(Snapshot::default());
        let place = Webhook { tls: false, host: "127.0.0.1".to_owned(), port: 80, path: "/".to_owned() };
        let mut poster = Poster::new(place, &world);
        let instance = |(name, vrid)| {
            format!(
                "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n virtual_ipaddress {{\n 10.0.0.{vrid}\n }}\n}}\n"
            )
        };
        let text =
            "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n".to_owned() + &[("A", 1), ("B", 2)].map(instance).concat();
        let config = crate::configuration::from_text(&text);
        assert_eq!(config.sync_groups.iter().map(|group: &SyncGroup| group.members.len()).collect::<Vec<_>>(), [2]);
        world.configure(config);
        let records = ["A", "B"].map(|name| Record {
            at: std::time::UNIX_EPOCH,
            subject: Subject::Instance(name.to_owned()),
            event: Event::Transition(Transition {
                at: keepalived_core::time::Instant::ZERO,
                from: State::Init,
                to: State::Backup,
                cause: Cause::Started,
                priority: Priority::DEFAULT,
            }),
        });
        world.see(Seen::Happened(Role::Vrrp, records.to_vec()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(poster.look(&world));
        let mut bodies = Vec::new();
        while let Some(body) = poster.queue.begin() {
            bodies.push(String::from_utf8_lossy(&body).into_owned());
            poster.queue.ended(&Outcome::Taken);
        }
        assert!(bodies.iter().any(|body| body.contains("\"G\"")), "{bodies:#?}");
    }
}
