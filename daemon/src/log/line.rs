//! What a line looks like: for people, or an object in JSON.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The layout.
pub(super) struct Form {
    /// Who speaks.
    pub(super) process: &'static str,
    /// Whether it is JSON now.
    pub(super) json: &'static AtomicBool,
}

/// What an event has to say.
#[derive(Default)]
pub(super) struct Said {
    /// In words.
    pub(super) message: String,
    /// What it is about; the message names it, too.
    subject: Option<String>,
    /// Why; the message says so, too.
    cause: Option<String>,
}

/// A line in JSON.
#[derive(Serialize)]
struct Object<'a> {
    /// UTC, RFC 3339.
    time: &'a str,
    level: &'a str,
    process: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    message: &'a str,
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let Said { message, subject, cause } = Said::of(event);
        let level = event.metadata().level().as_str();
        if !self.json.load(Ordering::Relaxed) {
            return writeln!(writer, "{time} {level:>5} {message}");
        }
        let (subject, cause) = (subject.as_deref(), cause.as_deref());
        let object = Object { time: &time, level, process: self.process, subject, cause, message: &message };
        writeln!(writer, "{}", serde_json::to_string(&object).map_err(|_| fmt::Error)?)
    }
}

impl Said {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut said = Self::default();
        event.record(&mut said);
        said
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "subject" => self.subject = Some(value.to_owned()),
            "cause" => self.cause = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let separator = if self.message.is_empty() { "" } else { " " };
        // cannot fail: a String takes everything
        if field.name() == "message" {
            write!(self.message, "{separator}{value:?}").ok();
        } else {
            write!(self.message, "{separator}{}={value:?}", field.name()).ok();
        }
    }
}
