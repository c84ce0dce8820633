//! What `keepalivedctl watch` shows on a terminal, as a page that a browser can take a picture of.

use anyhow::{Context as _, Result};
use keepalived_lab::{Namespace, patience, wait_until};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The last screen of `keepalivedctl watch` on a terminal of this size.
pub(super) fn screen(namespace: &Namespace, program: &Path, socket: &Path, size: [u16; 2]) -> Result<String> {
    let seen = socket.with_extension("screen");
    let [columns, rows] = size;
    let words = format!(
        "stty cols {columns} rows {rows}; exec {} watch --color always --socket {}",
        program.display(),
        socket.display()
    );
    // script gives it a terminal
    let mut command = namespace.command("script");
    command.args(["--quiet", "--flush", "--return", "--command", &words]).arg(&seen);
    let mut watching = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("script")?;
    let mut last = None;
    let shown = wait_until("it has shown a screen", patience(Duration::from_secs(10)), || {
        let all = std::fs::read(&seen).unwrap_or_default();
        last = frames(&String::from_utf8_lossy(&all)).last().cloned();
        Ok(last.is_some())
    });
    watching.stdin.take().context("piped")?.write_all(b"q")?;
    watching.wait()?;
    shown?;
    last.context("no screen")
}

/// Screens that are complete: from the way to the first place to the removal of what is below.
fn frames(text: &str) -> Vec<String> {
    let mut frames = Vec::new();
    for frame in text.split("\x1b[H").skip(1) {
        if let Some((frame, _)) = frame.split_once("\x1b[J") {
            frames.push(frame.replace("\x1b[K", "").replace('\r', ""));
        }
    }
    frames
}

/// The same in the words of a browser.
pub(super) fn page(screen: &str) -> String {
    let mut body = String::new();
    let mut is_open = false;
    for (number, piece) in screen.split("\x1b[").enumerate() {
        let (code, text) = if number == 0 { ("0", piece) } else { piece.split_once('m').unwrap_or(("0", piece)) };
        if std::mem::take(&mut is_open) {
            body += "</span>";
        }
        let class = match code {
            "1" => "bold",
            "2" => "dim",
            "31" => "red",
            "32" => "green",
            "33" => "yellow",
            _ => "",
        };
        if !class.is_empty() {
            write!(body, "<span class={class}>").expect("a String takes everything");
            is_open = true;
        }
        body += &text.replace('&', "&amp;").replace('<', "&lt;");
    }
    format!(
        "<!doctype html><meta charset=utf-8><style>body {{ margin: 0; background: #12161b }} \
         pre {{ display: inline-block; margin: 0; padding: 14px 18px; color: #e7ebf0; background: #12161b; \
         font: 13px/1.3 \"DejaVu Sans Mono\", monospace }} .bold {{ font-weight: bold }} .dim {{ color: #93a0ad }} \
         .red {{ color: #ff8a80 }} .green {{ color: #4ec98a }} .yellow {{ color: #e6bd5a }}</style><pre>{body}</pre>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complete_screen_is_taken() {
        let text = "\x1b[?1049h\x1b[Hone\x1b[K\r\n\x1b[J\x1b[Htwo\x1b[K\r\n\x1b[32m<M>\x1b[0m\x1b[K\x1b[J\x1b[Hthr";
        let last = frames(text).pop().expect("two screens");
        assert_eq!(last, "two\n\x1b[32m<M>\x1b[0m");
        assert!(page(&last).ends_with("<pre>two\n<span class=green>&lt;M></span></pre>"), "{}", page(&last));
    }
}
