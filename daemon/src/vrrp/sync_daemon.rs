//! `lvs_sync_daemon`: the kernel's own exchange of connections between balancers follows an instance.
//!
//! On a thread of its own: the kernel loads modules and opens sockets while it is asked, which takes up to seconds, and no
//! advert waits for that.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use keepalived_config::model::{Config, SyncDaemon as Settings};
use keepalived_core::vrrp::State;
use keepalived_kernel::ipvs::{Ipvs, SyncDaemon, SyncRole};

/// How long the end of the vrrp process waits for the end of the daemons.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// What runs, and which instance it follows.
#[derive(Debug)]
pub(super) struct Sync {
    settings: Settings,
    orders: Sender<Order>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

/// What the thread is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Run(SyncRole),
    End(SyncRole),
}

/// Who runs the daemons.
trait Daemons {
    fn run(&mut self, role: SyncRole);
    fn end(&mut self, role: SyncRole);
}

impl Sync {
    /// Begins: without an instance both daemons run at once; with one, the backup daemon until it is master. Those of `before`
    /// end first. `None` if nothing is configured.
    pub(super) fn start(config: &Config, before: Option<Self>) -> Option<Self> {
        let Some(settings) = config.global.balancing.sync_daemon.as_deref().cloned() else {
            // ends by itself, whenever it can
            drop(before);
            return None;
        };
        let followed = settings.instance.as_ref();
        let instance = followed.and_then(|name| config.instances.iter().find(|instance| instance.name == *name));
        let sync_id = settings.id.unwrap_or_else(|| instance.map_or(0, |instance| instance.settings.vrid.get()));
        let of_kernel = settings.clone();
        let open = move || match Ipvs::open() {
            Ok(ipvs) => Some(OfKernel { settings: of_kernel, sync_id, ipvs }),
            Err(error) => {
                tracing::error!("lvs_sync_daemon: there is no IPVS: {error}");
                None
            }
        };
        match Self::with(settings, before, open) {
            Ok(sync) => Some(sync),
            Err(error) => {
                tracing::error!("lvs_sync_daemon: no thread for it: {error}");
                None
            }
        }
    }

    fn with<D: Daemons>(
        settings: Settings,
        before: Option<Self>,
        open: impl FnOnce() -> Option<D> + Send + 'static,
    ) -> io::Result<Self> {
        let ((orders, work), (end, ended)) = (channel(), channel());
        std::thread::Builder::new().name("sync daemon".into()).spawn(move || {
            // dropped when all is done
            let _end: Sender<()> = end;
            if let Some(before) = before {
                before.wait(None);
            }
            if let Some(daemons) = open() {
                serve(daemons, &work);
            }
        })?;
        let sync = Self { settings, orders, ended };
        sync.ask(Order::Run(SyncRole::Backup));
        if sync.settings.instance.is_none() {
            sync.ask(Order::Run(SyncRole::Master));
        }
        Ok(sync)
    }

    /// What is in force.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An instance has another state.
    pub(super) fn follow(&self, instance: &str, state: State) {
        if self.settings.instance.as_deref() != Some(instance) {
            return;
        }
        let (end, begin) = match state {
            State::Master => (SyncRole::Backup, SyncRole::Master),
            State::Init | State::Backup | State::Fault | State::Stopped => (SyncRole::Master, SyncRole::Backup),
        };
        self.ask(Order::End(end));
        self.ask(Order::Run(begin));
    }

    /// Ends both, and waits for it, but not for long.
    pub(super) fn stop(self) {
        self.wait(Some(LAST_PATIENCE));
    }

    fn ask(&self, order: Order) {
        // there is no IPVS, and that was said
        let _nobody = self.orders.send(order);
    }

    fn wait(self, patience: Option<Duration>) {
        let Self { orders, ended, .. } = self;
        // the thread ends when there can be no more orders
        drop(orders);
        match patience {
            None => {
                let _ended = ended.recv();
            }
            Some(patience) => {
                if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                    tracing::warn!("lvs_sync_daemon: the kernel does not end the daemons; they may stay");
                }
            }
        }
    }
}

/// Does what is ordered, and ends both daemons when no process orders any more.
fn serve(mut daemons: impl Daemons, work: &Receiver<Order>) {
    for order in work {
        match order {
            Order::Run(role) => daemons.run(role),
            Order::End(role) => daemons.end(role),
        }
    }
    daemons.end(SyncRole::Master);
    daemons.end(SyncRole::Backup);
}

/// Those of the kernel.
#[derive(Debug)]
struct OfKernel {
    settings: Settings,
    /// `id`, or the VRID of the instance.
    sync_id: u8,
    ipvs: Ipvs,
}

impl Daemons for OfKernel {
    fn run(&mut self, role: SyncRole) {
        let Settings { interface, most_octets, port, ttl, group, .. } = self.settings;
        let daemon = SyncDaemon { role, interface, sync_id: self.sync_id, max_length: most_octets, group, port, ttl };
        if let Err(error) = self.ipvs.start_sync_daemon(&daemon) {
            tracing::error!("lvs_sync_daemon: the kernel refused to start the {role:?} daemon on {interface}: {error}");
        }
    }

    fn end(&mut self, role: SyncRole) {
        if let Err(error) = self.ipvs.stop_sync_daemon(role) {
            tracing::error!("lvs_sync_daemon: the kernel refused to stop the {role:?} daemon: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells what it is asked for.
    struct Told(Sender<String>);

    impl Daemons for Told {
        fn run(&mut self, role: SyncRole) {
            self.0.send(format!("run {role:?}")).unwrap();
        }

        fn end(&mut self, role: SyncRole) {
            self.0.send(format!("end {role:?}")).unwrap();
        }
    }

    fn settings() -> Settings {
        let text = "global_defs {\n lvs_sync_daemon eth0 A\n}\n\
                    vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.1\n }\n}\n";
        *crate::configuration::from_text(text).global.balancing.sync_daemon.unwrap()
    }

    // modprobe may take 20 s; this test never ends if someone waits for the kernel
    #[test]
    fn nobody_waits_for_a_kernel_that_is_slow() {
        let (release, held) = channel::<()>();
        let (told, hears) = channel();
        let slow = Sync::with(settings(), None, move || {
            held.recv().ok()?;
            Some(Told(told))
        });
        let slow = slow.unwrap();
        slow.follow("A", State::Master);
        slow.follow("B", State::Backup);
        // a reload: the next ones begin when these have ended
        let (told, hears_next) = channel();
        let next = Sync::with(settings(), Some(slow), move || Some(Told(told))).unwrap();
        next.follow("A", State::Master);
        assert!(hears_next.try_recv().is_err());
        release.send(()).unwrap();
        let all = |hears: Receiver<String>| hears.iter().collect::<Vec<_>>();
        let master = ["run Backup", "end Backup", "run Master", "end Master", "end Backup"];
        assert_eq!(all(hears), master);
        next.stop();
        assert_eq!(all(hears_next), master);
    }
}
