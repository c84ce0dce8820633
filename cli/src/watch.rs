//! `keepalivedctl watch`: the daemon's screen, drawn anew each second until `q`.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use keepalived_config::Style;
use keepalived_kernel::terminal::{self, Keys};
use keepalived_surface::request::{Ask, Request};

use super::ask::{Where, converse};
use super::status::{FAILED, GOOD};

/// From one screen to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// From one look at whether another screen has come to the next.
const LOOK: Duration = Duration::from_millis(50);

/// The other screen of the terminal, without a cursor; and back.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l";
const END: &str = "\x1b[?25h\x1b[?1049l";

/// Show everything on one screen, live, until `q`
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Where,
}

/// Runs until `q` or Ctrl-C.
pub(crate) fn run(arguments: &Arguments, style: Style) -> u8 {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        super::eprint_all("keepalivedctl: watch needs a terminal; `keepalivedctl status` does not\n");
        return FAILED;
    }
    match show(arguments, style) {
        Ok(()) => GOOD,
        Err(error) => {
            super::eprint_all(&format!("keepalivedctl: {error}\n"));
            FAILED
        }
    }
}

fn show(arguments: &Arguments, style: Style) -> io::Result<()> {
    let screen = Screen::begin()?;
    let size = Arc::new(Mutex::new(terminal::size()?));
    let screens = ask_again_and_again(arguments.place.clone(), style, Arc::clone(&size));
    loop {
        let now = terminal::size()?;
        *size.lock().unwrap_or_else(PoisonError::into_inner) = now;
        if let Some(text) = screens.try_iter().last() {
            draw(&text, usize::from(now.1))?;
        }
        if screen.wants_end(LOOK)? {
            return Ok(());
        }
    }
}

/// Asks on a thread of its own: keys are heard however long the daemon takes to answer. The thread ends with the process.
fn ask_again_and_again(place: Where, style: Style, size: Arc<Mutex<(u16, u16)>>) -> Receiver<String> {
    let (sender, screens) = mpsc::channel();
    std::thread::spawn(move || {
        let mut last = String::new();
        let mut heard = None;
        loop {
            let (columns, rows) = *size.lock().unwrap_or_else(PoisonError::into_inner);
            let ask = Ask::Watch { columns, rows };
            let request = Request { ask, json: false, colour: style == Style::Colour };
            let mut octets = Vec::new();
            let text = match converse(&place, &request, &mut octets) {
                Ok(_) => {
                    heard = Some(SystemTime::now());
                    last = String::from_utf8_lossy(&octets).into_owned();
                    last.clone()
                }
                Err((_, why)) => {
                    let age = heard.map(|at| format!(", no data for {} s", at.elapsed().unwrap_or_default().as_secs()));
                    format!("{why}{}\n\n{last}", age.unwrap_or_default())
                }
            };
            if sender.send(text).is_err() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    });
    screens
}

/// Draws over what is there, so that nothing flickers.
fn draw(text: &str, rows: usize) -> io::Result<()> {
    let lines: Vec<String> = text.lines().take(rows).map(|line| format!("{line}\x1b[K")).collect();
    let mut out = io::stdout().lock();
    write!(out, "\x1b[H{}\x1b[J", lines.join("\r\n"))?;
    out.flush()
}

/// The terminal while it shows the screen; as it was before when this is dropped.
struct Screen {
    keys: Keys,
}

impl Screen {
    fn begin() -> io::Result<Self> {
        let screen = Self { keys: Keys::begin()? };
        let mut out = io::stdout().lock();
        out.write_all(BEGIN.as_bytes())?;
        out.flush()?;
        Ok(screen)
    }

    /// Waits so long for a key; true if it is `q` or Ctrl-C, or there will be none any more.
    fn wants_end(&self, pause: Duration) -> io::Result<bool> {
        match self.keys.wait(pause) {
            Ok(keys) => Ok(keys.iter().any(|key| matches!(key, b'q' | b'Q' | 3))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        out.write_all(END.as_bytes()).and_then(|()| out.flush()).ok();
    }
}
