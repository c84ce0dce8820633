use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What `say` writes.
fn written(json: &'static AtomicBool, say: impl FnOnce()) -> String {
    let kept = Kept::default();
    let form = line::Form { process: "vrrp", json };
    let layer = tracing_subscriber::fmt::layer().with_writer(kept.clone()).with_ansi(false).event_format(form);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
    let octets = kept.0.lock().unwrap().clone();
    String::from_utf8(octets).unwrap()
}

#[test]
fn a_line_is_text_or_an_object_that_says_what_it_is_about() {
    static SWITCHED: AtomicBool = AtomicBool::new(false);
    let say = || {
        let (subject, cause) = (Some("instance \"A\"".to_owned()), Some("started".to_owned()));
        tracing::warn!(subject, cause, "(\"A\") Entering BACKUP STATE: started");
        let (subject, cause) = (None::<String>, None::<String>);
        tracing::info!(subject, cause, "Stopped");
    };
    let text = written(&SWITCHED, say);
    let lines: Vec<&str> = text.lines().filter_map(|line| line.split_once('Z').map(|(_, rest)| rest)).collect();
    assert_eq!(lines, ["  WARN (\"A\") Entering BACKUP STATE: started", "  INFO Stopped"]);
    SWITCHED.store(true, Ordering::Relaxed);
    let text = written(&SWITCHED, say);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut first = lines[0].as_object().unwrap().clone();
    let time = first.remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let wanted = serde_json::json!({
        "level": "WARN", "process": "vrrp", "subject": "instance \"A\"", "cause": "started",
        "message": "(\"A\") Entering BACKUP STATE: started",
    });
    assert_eq!(Value::Object(first), wanted);
    assert_eq!((&lines[1]["message"], lines[1].get("subject")), (&Value::from("Stopped"), None));
}

#[test]
fn levels_are_those_of_the_process_and_of_its_parts() {
    let levels = [("vrrp", LogLevel::Error), ("observer", LogLevel::Warning), ("mail", LogLevel::Debug)];
    let levels: BTreeMap<String, LogLevel> = levels.map(|(name, level)| (name.to_owned(), level)).into();
    let log = Log { levels, ..Log::default() };
    let most = |process: &str, detail, place: &str| {
        let targets = targets(&log, process, detail);
        [Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR]
            .into_iter()
            .find(|level| targets.would_enable(place, level))
    };
    assert_eq!(most("vrrp", 1, "keepalived_daemon::vrrp::process"), Some(Level::ERROR));
    assert_eq!(most("checker", 0, "keepalived_daemon::checker::process"), Some(Level::INFO));
    assert_eq!(most("checker", 1, "keepalived_daemon::checker::process"), Some(Level::DEBUG));
    assert_eq!(most("observer", 0, "keepalived_daemon::observer::http"), Some(Level::WARN));
    assert_eq!(most("observer", 0, "keepalived_daemon::observer::outbox"), Some(Level::DEBUG));
    assert_eq!(most("observer", 1, "hyper::proto"), Some(Level::WARN));
}

#[test]
fn the_places_of_parts_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for place in PARTS.iter().flat_map(|(_, places)| places.iter()) {
        let (krate, module) = place.split_once("::").unwrap();
        let folder = root.join("..").join(krate.trim_start_matches("keepalived_")).join("src");
        let file = folder.join(module.replace("::", "/")).with_extension("rs");
        assert!(file.is_file(), "{}", file.display());
    }
}
