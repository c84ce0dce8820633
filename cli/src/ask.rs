//! Asks a daemon that runs how it is, and has it change.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use keepalived_config::Style;
use keepalived_kernel::local;
use keepalived_surface::request::{Answer, Ask, Change, FAILED, NOT_RUNNING, Part, Request};

/// Where a daemon without other settings can be asked.
const USUAL: &str = "/run/keepalived.sock";

/// How long an answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to ask.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Where {
    /// The daemon's control socket; it is beside the pid file if the configuration names no other place
    #[arg(long, value_name = "PATH", default_value = USUAL)]
    socket: PathBuf,
}

/// Show how everything is, what is wrong first; exit status 0 all is well, 1 warnings, 2 problems, 3 the daemon does not run
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    place: Where,
    /// Show also what is well where there is much of it
    #[arg(long)]
    all: bool,
    /// For programs: JSON (see keepalivedctl(1))
    #[arg(long)]
    json: bool,
}

/// Say why an instance, a server, a tracker or a BFD session is as it is, and what would change that
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Why {
    #[command(flatten)]
    place: Where,
    /// Its name; a server also by its address
    name: String,
    /// For programs: JSON
    #[arg(long)]
    json: bool,
}

/// Show what happened
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Events {
    #[command(flatten)]
    place: Where,
    /// About this only
    name: Option<String>,
    /// Go on with what happens from now on
    #[arg(long, short)]
    follow: bool,
    /// For programs: an object in each line
    #[arg(long)]
    json: bool,
}

/// Have the daemon read its configuration again; for root and `control_group`
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    place: Where,
}

/// Take a real server out gently: weight 0, connections that it has go on
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    place: Where,
    /// Its address, perhaps with the port, or its name as in `status`
    server: String,
    /// In this virtual server only
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
}

/// Give a real server its configured weight again
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Enable {
    #[command(flatten)]
    server: Drain,
}

/// Give a real server another weight, until `enable` or the end of the daemon
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Weight {
    #[command(flatten)]
    server: Drain,
    /// 0 to 65535
    weight: u32,
}

/// Give an instance another base priority, until `priority NAME configured` or the end of the daemon
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Priority {
    #[command(flatten)]
    place: Where,
    /// The instance
    instance: String,
    /// 1 to 254, or `configured`
    priority: String,
}

/// Hand over cleanly and stay away (`on`), or take part again (`off`)
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Maintenance {
    #[command(flatten)]
    place: Where,
    /// Stay away, or take part again
    #[arg(value_parser = ["on", "off"])]
    state: String,
    /// This instance only; all, otherwise
    instance: Option<String>,
}

/// Tell the neighbours of an instance that is MASTER once more where its addresses are (gratuitous ARP, unsolicited NA)
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Garp {
    #[command(flatten)]
    place: Where,
    /// The instance
    instance: String,
}

/// Set the counters of instances to 0
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ClearCounters {
    #[command(flatten)]
    place: Where,
}

/// Sets the weight of a server.
fn weigh(server: &Drain, weight: Option<u32>, style: Style) -> u8 {
    let change = Change::Weight { server: server.server.clone(), service: server.of.clone(), weight };
    ask(&server.place, Ask::Change(change), false, style)
}

/// Drains a server.
pub(crate) fn drain(arguments: &Drain, style: Style) -> u8 {
    weigh(arguments, Some(0), style)
}

/// Gives a server its configured weight.
pub(crate) fn enable(arguments: &Enable, style: Style) -> u8 {
    weigh(&arguments.server, None, style)
}

/// Gives a server another weight.
pub(crate) fn weight(arguments: &Weight, style: Style) -> u8 {
    weigh(&arguments.server, Some(arguments.weight), style)
}

/// Gives an instance another priority.
pub(crate) fn priority(arguments: &Priority, style: Style) -> u8 {
    let priority = match arguments.priority.as_str() {
        "configured" => None,
        number => match number.parse() {
            Ok(number) => Some(number),
            Err(_) => {
                super::eprint_all("keepalivedctl: a priority is 1 to 254, or `configured`\n");
                return super::status::USAGE;
            }
        },
    };
    let change = Change::Priority { instance: arguments.instance.clone(), priority };
    ask(&arguments.place, Ask::Change(change), false, style)
}

/// Has instances stay away, or come back.
pub(crate) fn maintenance(arguments: &Maintenance, style: Style) -> u8 {
    let change = Change::Maintenance { instance: arguments.instance.clone(), on: arguments.state == "on" };
    ask(&arguments.place, Ask::Change(change), false, style)
}

/// Has addresses announced.
pub(crate) fn garp(arguments: &Garp, style: Style) -> u8 {
    let change = Change::Garp { instance: arguments.instance.clone() };
    ask(&arguments.place, Ask::Change(change), false, style)
}

/// Sets counters to 0.
pub(crate) fn clear_counters(arguments: &ClearCounters, style: Style) -> u8 {
    ask(&arguments.place, Ask::Change(Change::ClearCounters), false, style)
}

/// Asks for a reload.
pub(crate) fn reload(arguments: &Reload, style: Style) -> u8 {
    ask(&arguments.place, Ask::Change(Change::Reload), false, style)
}

/// Show one subject, whole
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    place: Where,
    /// The daemon's processes; what instances track; who sends adverts where; the configuration in force, without passwords (for root and
    /// `control_group`)
    #[arg(value_parser = ["process", "trackers", "peers", "config"])]
    part: String,
    /// For programs: JSON; of the configuration `keepalivedctl expand --json` makes it
    #[arg(long)]
    json: bool,
}

/// Asks for one subject.
pub(crate) fn show(arguments: &Show, style: Style) -> u8 {
    let part = match arguments.part.as_str() {
        "trackers" => Part::Trackers,
        "peers" => Part::Peers,
        "config" => Part::Config,
        _ => Part::Process,
    };
    if arguments.json && part == Part::Config {
        super::eprint_all(
            "keepalivedctl: show config has no JSON; `keepalivedctl expand --json FILE` makes it of a file\n",
        );
        return super::status::USAGE;
    }
    ask(&arguments.place, Ask::Show { part }, arguments.json, style)
}

/// Asks for the status.
pub(crate) fn status(arguments: &Status, style: Style) -> u8 {
    ask(&arguments.place, Ask::Status { all: arguments.all }, arguments.json, style)
}

/// Asks why.
pub(crate) fn why(arguments: &Why, style: Style) -> u8 {
    ask(&arguments.place, Ask::Why { name: arguments.name.clone() }, arguments.json, style)
}

/// Asks what happened.
pub(crate) fn events(arguments: &Events, style: Style) -> u8 {
    let ask_for = Ask::Events { name: arguments.name.clone(), follow: arguments.follow };
    ask(&arguments.place, ask_for, arguments.json, style)
}

/// Asks, prints the answer as it comes, and returns its status.
fn ask(place: &Where, ask: Ask, json: bool, style: Style) -> u8 {
    let request = Request { ask, json, colour: style == Style::Colour };
    match converse(place, &request, &mut io::stdout().lock()) {
        Ok(status) => status,
        Err((status, message)) => {
            super::eprint_all(&format!("keepalivedctl: {message}\n"));
            status
        }
    }
}

/// Asks, writes the answer to `out` as it comes, and returns its status.
///
/// # Errors
/// What to exit with, and what to say.
pub(crate) fn converse(place: &Where, request: &Request, out: &mut impl io::Write) -> Result<u8, (u8, String)> {
    let path = place.socket.display();
    match speak(place, request, out) {
        Ok(Answer { status, error: None }) => Ok(status),
        Ok(Answer { status, error: Some(why) }) => Err((status, why)),
        Err(error) => {
            let is_cut_off = matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
            // a daemon that ends cuts its clients off, too
            let gone = if is_cut_off { local::connect(&place.socket, PATIENCE).err() } else { None };
            let (status, message) = match gone.as_ref().unwrap_or(&error).kind() {
                io::ErrorKind::NotFound => (
                    NOT_RUNNING,
                    format!(
                        "keepalived does not run, or has another control socket: there is no {path} (--socket names another one)"
                    ),
                ),
                io::ErrorKind::ConnectionRefused => {
                    (NOT_RUNNING, format!("keepalived does not run: nothing listens at {path}"))
                }
                io::ErrorKind::UnexpectedEof | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    (FAILED, format!("{path}: the daemon does not answer; its log may say why"))
                }
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                    (FAILED, format!("{path}: too many ask the daemon at this moment; try again"))
                }
                _ => (FAILED, format!("{path}: {error}")),
            };
            Err((status, message))
        }
    }
}

fn speak(place: &Where, request: &Request, out: &mut impl io::Write) -> io::Result<Answer> {
    let mut stream = local::connect(&place.socket, PATIENCE)?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let answer: Answer = serde_json::from_str(&first)?;
    if let Ask::Events { follow: true, .. } = request.ask {
        // the next event may be days away
        reader.get_ref().set_read_timeout(None)?;
    }
    let mut octets = vec![0; 64 * 1024];
    loop {
        let count = reader.read(&mut octets)?;
        // a reader that has seen enough, as `head` does, is no failure
        let written = out.write_all(octets.get(..count).unwrap_or_default()).and_then(|()| out.flush());
        if count == 0 || written.is_err() {
            return Ok(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// How it ends for a client whose connection is closed before an answer comes, by a daemon that goes on or ends.
    fn cut_off(ends: bool) -> (u8, String) {
        let name = format!("keepalived-ask-{ends}-{}.sock", std::process::id());
        let place = Where { socket: std::env::temp_dir().join(name) };
        std::fs::remove_file(&place.socket).ok();
        let listener = UnixListener::bind(&place.socket).unwrap();
        let socket = place.socket.clone();
        let daemon = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            // some of the request stays unread
            client.read_exact(&mut [0]).unwrap();
            let listens = (!ends).then_some(listener);
            drop(client);
            listens
        });
        let request = Request { ask: Ask::Status { all: false }, json: false, colour: false };
        let outcome = converse(&place, &request, &mut Vec::new());
        drop(daemon.join().unwrap());
        std::fs::remove_file(&socket).unwrap();
        outcome.unwrap_err()
    }

    #[test]
    fn a_daemon_that_ends_is_not_called_busy() {
        let (status, message) = cut_off(true);
        assert_eq!(status, NOT_RUNNING, "{message}");
        let (status, message) = cut_off(false);
        assert_eq!(status, FAILED, "{message}");
        assert!(message.contains("too many ask"), "{message}");
    }
}
