//! A browser without a screen: Debian's Chromium in a namespace, driven by the Chrome DevTools Protocol over a pipe.

use crate::namespace::Namespace;
use crate::sandbox;
use crate::wait::{patience, wait_until};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A browser may run so long, whatever happens to us.
const LIFE: &str = "300";

/// Nothing of its own goes out; it needs no sandbox where there is nothing to attack.
const OPTIONS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "about:blank",
];

/// How a page is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colours {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A browser with one page; it ends with this value.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<Value>,
    last: u64,
    session: Option<String>,
    /// What it told without being asked.
    events: Vec<Value>,
}

impl Browser {
    /// Starts one in `namespace`, with its files in `folder`.
    pub fn start(namespace: &Namespace, folder: &Path) -> Result<Self> {
        ensure!(
            sandbox::find("chromium").is_some(),
            "chromium is not installed, and the page is tested by it: apt-get install --no-install-recommends chromium"
        );
        std::fs::create_dir_all(folder)?;
        let mut command = namespace.command("sh");
        // it listens on descriptor 3 and answers on 4
        command.args(["-c", "exec timeout -k 5 \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "sh", LIFE, "chromium"]);
        command.arg(format!("--user-data-dir={}", folder.display())).args(OPTIONS).env("HOME", folder).env("TZ", "UTC");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(folder.join("chromium.log"))?);
        let mut child = command.spawn().context("chromium")?;
        let orders = child.stdin.take();
        let heard = child.stdout.take().context("piped above")?;
        let (tell, answers) = channel();
        std::thread::spawn(move || {
            let mut heard = BufReader::new(heard);
            let mut message = Vec::new();
            while heard.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if tell.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self { child, orders, answers, last: 0, session: None, events: Vec::new() };
        browser.attach().with_context(|| {
            std::fs::read_to_string(folder.join("chromium.log")).unwrap_or_else(|error| error.to_string())
        })?;
        Ok(browser)
    }

    fn attach(&mut self) -> Result<()> {
        let page = self.call("Target.createTarget", json!({"url": "about:blank"}))?;
        let session = self.call("Target.attachToTarget", json!({"targetId": page["targetId"], "flatten": true}))?;
        self.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(())
    }

    /// One command of the protocol, and its answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.last += 1;
        let mut order = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            order["sessionId"] = session.as_str().into();
        }
        let orders = self.orders.as_mut().context("it has ended")?;
        orders.write_all(format!("{order}\0").as_bytes()).context("the browser has gone")?;
        loop {
            let answer = self.answers.recv_timeout(patience(Duration::from_secs(30)));
            let mut answer = answer.with_context(|| format!("the browser does not answer {method}"))?;
            if answer["id"] == self.last {
                ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return Ok(answer["result"].take());
            }
            self.events.push(answer);
        }
    }

    /// The size of its window in pixels, and its colours.
    pub fn look(&mut self, [width, height]: [u32; 2], colours: Colours) -> Result<()> {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", metrics)?;
        let value = match colours {
            Colours::Light => "light",
            Colours::Dark => "dark",
        };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).map(drop)
    }

    /// Goes to a page. What was requested and complained of before is forgotten.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.events.clear();
        let answer = self.call("Page.navigate", json!({ "url": url }))?;
        ensure!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        Ok(())
    }

    /// The value of an expression of JavaScript; of a promise, what it becomes.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", parameters)?;
        ensure!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is true.
    pub fn wait(&mut self, what: &str, expression: &str) -> Result<()> {
        // a page that is not there yet has no body
        let tried = format!("(() => {{ try {{ return ({expression}) === true; }} catch {{ return false; }} }})()");
        let waited = wait_until(what, patience(Duration::from_secs(20)), || Ok(self.evaluate(&tried)? == true));
        waited.with_context(|| {
            let text = self.evaluate("document.body.innerText").unwrap_or_default();
            format!("{expression}; the page says {text}; {:?}", self.complaints())
        })
    }

    /// Presses and releases a key: a letter, or `Tab`, `Enter`, `Escape`.
    pub fn key(&mut self, key: &str) -> Result<()> {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            // signs have numbers of their own: that of a full stop would be taken for Delete
            sign => (
                sign.bytes().next().filter(u8::is_ascii_alphanumeric).map_or(0, |it| it.to_ascii_uppercase().into()),
                sign,
            ),
        };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        let stroke = |kind: &str| json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
        let mut press = stroke(down);
        if !text.is_empty() {
            press["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", press)?;
        self.call("Input.dispatchKeyEvent", stroke("keyUp")).map(drop)
    }

    /// Clicks in the middle of what a selector finds first, or of its first line.
    pub fn click(&mut self, selector: &str) -> Result<()> {
        let place = self.evaluate(&format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView(); \
             const at = it.getClientRects()[0]; return [at.x + at.width / 2, at.y + at.height / 2]; }})()"
        ))?;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event)?;
        }
        Ok(())
    }

    /// The whole page, or what of it has this width and height, as PNG.
    pub fn picture(&mut self, clip: Option<[u32; 2]>) -> Result<Vec<u8>> {
        let mut parameters = json!({"format": "png", "captureBeyondViewport": true});
        if let Some([width, height]) = clip {
            parameters["clip"] = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        }
        let answer = self.call("Page.captureScreenshot", parameters)?;
        base64(answer["data"].as_str().context("no picture")?)
    }

    fn told<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["method"] == method).map(|event| &event["params"])
    }

    /// What the page asked for, from the beginning.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let asked = self.told("Network.requestWillBeSent");
        asked.filter_map(|event| event["request"]["url"].as_str().map(str::to_owned)).collect()
    }

    /// Exceptions of its scripts, and what the browser thinks of it: parts that its policy forbids, what could not be fetched.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let thrown = self.told("Runtime.exceptionThrown").map(|event| event["exceptionDetails"].to_string());
        thrown.chain(self.told("Log.entryAdded").map(|event| event["entry"]["text"].to_string())).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // it ends with its pipe
        self.session = None;
        self.orders = None;
        let ended = wait_until("the browser ends", Duration::from_secs(5), || Ok(self.child.try_wait()?.is_some()));
        if ended.is_err() {
            // `timeout` takes it along
            kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
            self.child.wait().ok();
        }
    }
}

/// RFC 4648 section 4.
fn base64(text: &str) -> Result<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            other => bail!("octet {other} is not of base64"),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push((bits >> held & 0xff).try_into()?);
        }
    }
    Ok(octets)
}

/// Where pictures are kept that people look at: `PICTURES`, if it is set.
pub fn keep(name: &str, picture: &[u8]) -> Result<()> {
    let Some(folder) = std::env::var_os("PICTURES").map(PathBuf::from) else { return Ok(()) };
    std::fs::create_dir_all(&folder)?;
    Ok(std::fs::write(folder.join(name), picture)?)
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        // RFC 4648 section 10
        for (text, wanted) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            assert_eq!(base64(text).expect("it is"), wanted.as_bytes());
        }
        assert!(base64("Zm9*").is_err());
    }
}
