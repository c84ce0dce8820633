//! The dashboard and the alert rules of `contrib/` ask for metrics that there are.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use keepalived_core::balance::Counted;
use keepalived_state::{Latest, ReloadView, Snapshot};
use keepalived_surface::status::Scene;

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// What is served, without suffixes.
fn served() -> BTreeSet<String> {
    let mut snapshot = Snapshot::default();
    snapshot.balance.totals.counted = Some(Counted::Everything);
    snapshot.daemon.last_reload = Some(ReloadView { at: UNIX_EPOCH, result: Ok(0) });
    let latest = Latest::of(&snapshot);
    let scene = Scene { snapshot: &snapshot, latest: &latest, now: UNIX_EPOCH, ahead: 0 };
    let text = keepalived_surface::metrics::metrics(&scene, None);
    text.lines().filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned())).collect()
}

#[test]
fn what_they_ask_for_is_served() {
    let served = served();
    for file in ["grafana/keepalived.json", "prometheus/keepalived.rules.yml"] {
        let text = std::fs::read_to_string(format!("{}/../contrib/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let asked: BTreeSet<&str> = text
            .split(|letter| !is_of_name(letter))
            .filter(|word| word.starts_with("keepalived_"))
            .map(|word| ["_total", "_bucket"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word))
            .filter(|word| *word != "keepalived_")
            .collect();
        assert!(asked.len() > 8, "{asked:?}");
        for name in asked {
            assert!(served.contains(name), "{file}: {name} is not among {served:?}");
        }
    }
}

#[test]
fn the_dashboard_is_json_with_a_panel_for_each_subject() {
    let path = format!("{}/../contrib/grafana/keepalived.json", env!("CARGO_MANIFEST_DIR"));
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    for panel in panels {
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        assert!(panel["gridPos"]["w"].as_u64() <= Some(24), "{panel}");
    }
}
