//! What a new observer's webhook is told of the time before.

use std::time::Duration;

use keepalived_state::{Record, ReloadView};
use keepalived_surface::status::{self, Scene};

/// What happened longer ago before the observer began is told to nobody.
const RECENT: Duration = Duration::from_secs(60);

/// What the journals have of the last minute, and since the last reload that changed anything: that may have brought the webhook.
pub(super) fn recent(scene: &Scene<'_>) -> Vec<Record> {
    let mut since = scene.now - RECENT;
    if let Some(ReloadView { at, result: Ok(1..) }) = &scene.snapshot.daemon.last_reload {
        since = since.max(*at);
    }
    status::events(scene, None).into_iter().filter(|record| record.at >= since).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use keepalived_state::{Event, Latest, Snapshot, Subject};

    use super::*;

    /// How many seconds ago that happened which is told.
    fn told(reload: Option<(u64, Result<usize, String>)>) -> Vec<u64> {
        let now = SystemTime::now();
        let ago = |seconds| now - Duration::from_secs(seconds);
        let mut snapshot = Snapshot::default();
        for seconds in [70, 50, 30, 10] {
            let subject = Subject::Instance(seconds.to_string());
            snapshot.vrrp.journal.push(Record { at: ago(seconds), subject, event: Event::Up });
        }
        snapshot.daemon.last_reload = reload.map(|(seconds, result)| ReloadView { at: ago(seconds), result });
        let latest = Latest::default();
        let told = recent(&Scene { snapshot: &snapshot, latest: &latest, now, ahead: 0 });
        told.iter().map(|record| now.duration_since(record.at).unwrap().as_secs()).collect()
    }

    #[test]
    fn what_happened_before_a_reload_that_changed_something_is_not_told() {
        assert_eq!(told(None), [50, 30, 10], "the start of the daemon");
        assert_eq!(told(Some((20, Ok(1)))), [10]);
        assert_eq!(told(Some((65, Ok(1)))), [50, 30, 10]);
        // these brought no webhook
        assert_eq!(told(Some((20, Ok(0)))), [50, 30, 10]);
        assert_eq!(told(Some((20, Err("refused".to_owned())))), [50, 30, 10]);
    }
}
