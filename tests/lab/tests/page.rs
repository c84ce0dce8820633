//! The status page in a browser: by the keyboard, on a phone, in both colours, with old data, with texts that mean harm, and large. With
//! `PICTURES=folder` the tests leave what they saw there, for people.

#[path = "page/server.rs"]
mod server;
#[path = "page/site.rs"]
mod site;

use anyhow::{Result, ensure};
use keepalived_lab::{Browser, Builder, Colours, Filter, browser, patience, trial_in, wait_until};
use serde_json::Value;
use server::{Health, Server};
use site::{HOSTILE, Site};
use std::io::Write as _;
use std::time::Duration;

const DESK: [u32; 2] = [1_280, 900];
const PHONE: [u32; 2] = [390, 844];

/// It has drawn what it was given.
const DRAWN: &str = "document.body.classList.contains('fresh') && document.querySelectorAll('.sheet').length > 1";

/// A page that draws this site once.
fn look(name: &str, site: &Site, test: impl FnOnce(&mut Browser, &Server) -> Result<()>) {
    trial_in(name, Builder { routers: 1, segments: 1, filter: Filter::Everything }, |lab| {
        let namespace = lab.router(0).namespace();
        let server = Server::start(namespace, site)?;
        let mut browser = Browser::start(namespace, &lab.folder().join("chromium"))?;
        browser.look(DESK, Colours::Light)?;
        browser.open("http://127.0.0.1/?still")?;
        browser.wait("it has drawn", DRAWN)?;
        test(&mut browser, &server)?;
        // what the daemon refuses the browser calls a failure
        let is_refusal =
            |it: &String| ["401", "409"].iter().any(|status| it.contains(&format!("a status of {status}")));
        let complaints: Vec<String> = browser.complaints().into_iter().filter(|it| !is_refusal(it)).collect();
        ensure!(complaints.is_empty(), "{complaints:?}");
        let elsewhere = |url: &String| !url.starts_with("http://127.0.0.1/") && !url.starts_with("data:");
        let asked = browser.requests();
        ensure!(asked.len() >= 4 && !asked.iter().any(elsewhere), "{asked:?}");
        Ok(())
    });
}

/// The page goes on as one that was opened without `?still`.
fn come_alive(browser: &mut Browser) -> Result<()> {
    browser.evaluate("(STILL = false, listen())").map(drop)
}

/// What does not fit: the page is wider than the window, or an element than what it is in.
const CUT_OFF: &str = "(() => {
  const wide = [];
  if (document.documentElement.scrollWidth > innerWidth) wide.push('the page: ' + document.documentElement.scrollWidth);
  for (const element of document.querySelectorAll('body *')) {
    const at = element.getBoundingClientRect();
    if (at.width > 0 && (at.right > innerWidth + 1 || at.left < -1)) wide.push(element.tagName + ' ' + element.className + ': ' + element.textContent.slice(0, 40));
    if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === 'hidden') wide.push('in ' + element.className + ': ' + element.scrollWidth);
  }
  return wide.slice(0, 10);
})()";

/// Texts whose contrast with what is behind them is below 4.5 (WCAG 2.1, 1.4.3).
const FAINT: &str = "(() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = (c) => { const l = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const ground = (element) => { for (let it = element; it; it = it.parentElement) { const c = parse(getComputedStyle(it).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.add(element.tagName + '.' + element.className + ' ' + contrast.toFixed(2) + ': ' + element.textContent.slice(0, 20));
  }
  return [...faint];
})()";

fn nothing(browser: &mut Browser, what: &str, expression: &str) -> Result<()> {
    let found = browser.evaluate(expression)?;
    ensure!(found == Value::Array(vec![]), "{what}: {found:#}");
    Ok(())
}

#[test]
fn each_size_shows_all_of_it_in_both_colours() {
    look("page-looks", &Site::usual(), |browser, _| {
        for (size, name) in
            [(DESK, "desk"), ([962, 900], "window"), ([800, 1_000], "tablet"), (PHONE, "phone"), ([320, 640], "small")]
        {
            for (colours, colour) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
                browser.look(size, colours)?;
                browser::keep(&format!("{name}-{colour}.png"), &browser.picture(None)?)?;
                nothing(browser, &format!("{name} {colour}: cut off"), CUT_OFF)?;
                nothing(browser, &format!("{name} {colour}: faint"), FAINT)?;
            }
        }
        let grounds = "getComputedStyle(document.body).backgroundColor";
        let dark = browser.evaluate(grounds)?;
        browser.look(PHONE, Colours::Light)?;
        ensure!(browser.evaluate(grounds)? != dark, "light and dark are the same");
        let text = browser.evaluate("document.body.innerText")?.to_string();
        for word in
            ["Needs attention", "VI_web", "MASTER", "BACKUP", "FAULT", "connection refused", "chk_disk", "to-lb2"]
        {
            ensure!(text.to_lowercase().contains(&word.to_lowercase()), "{word}: {text}");
        }
        Ok(())
    });
}

#[test]
fn a_quiet_site_is_one_line() {
    look("page-well", &Site::well(), |browser, _| {
        browser.evaluate("state.doc.bfd_sessions = [], state.doc.problems = [], draw()")?;
        browser::keep("well.png", &browser.picture(None)?)?;
        let text = browser.evaluate("document.querySelector('#problems').innerText")?;
        ensure!(text == "✓ All well", "{text}");
        Ok(())
    });
}

/// What has the focus, and how it shows.
const FOCUS: &str = "(() => { const it = document.activeElement; const style = getComputedStyle(it);
  return (it.id || it.getAttribute('data-open') || it.getAttribute('href') || it.tagName) + ' ' + style.outlineStyle + ' ' + style.outlineWidth; })()";

/// What a person does.
type Step = fn(&mut Browser) -> Result<()>;

#[test]
fn the_keyboard_does_all_that_the_mouse_does() {
    look("page-keys", &Site::usual(), |browser, server| {
        // what can be clicked can be reached, and shows that it is
        let mut reached = Vec::new();
        for _ in 0..12 {
            browser.key("Tab")?;
            reached.push(browser.evaluate(FOCUS)?.as_str().unwrap_or_default().to_owned());
        }
        for wanted in ["search", "filter", "span", "keys", "#router-VI_web", "service-[192.0.2.10]:tcp:443"] {
            let shows = format!("{wanted} solid 2px");
            ensure!(reached.contains(&shows), "{wanted}: {reached:#?}");
        }
        let clickable = browser.evaluate(
            "[...document.querySelectorAll('*')].filter((it) => getComputedStyle(it).cursor === 'pointer' && !it.closest('a, button, select, input, [tabindex]')).map((it) => it.className)",
        )?;
        ensure!(clickable == Value::Array(vec![]), "only by the mouse: {clickable}");
        // a service is folded by Enter and by Space as by a click, and keeps the focus
        let service = "document.querySelector('[data-open^=\"service-[192\"]')";
        let open = format!("{service}.getAttribute('aria-expanded')");
        let steps: [(&str, Step); 3] = [
            ("Enter", |browser| browser.key("Enter")),
            ("Space", |browser| browser.key(" ")),
            ("a click", |browser| browser.click("[data-open^='service-[192'] b")),
        ];
        browser.evaluate(&format!("{service}.focus()"))?;
        let mut is_open = true;
        for (how, step) in steps {
            step(browser)?;
            is_open = !is_open;
            ensure!(
                browser.evaluate(&open)?.as_str() == Some(if is_open { "true" } else { "false" }),
                "{how} changes nothing"
            );
            let servers = browser.evaluate("document.querySelectorAll('#services tbody tr').length")?;
            ensure!(servers == if is_open { 4 } else { 1 }, "{how}: {servers}");
        }
        // new data take the focus from nothing
        browser.evaluate("document.querySelector('a[href=\"#router-VI_mail\"]').focus(), draw()")?;
        ensure!(browser.evaluate("document.activeElement.getAttribute('href')")? == "#router-VI_mail");
        // j, k and Enter
        browser.evaluate("document.activeElement.blur()")?;
        for key in ["j", "j", "k", "j"] {
            browser.key(key)?;
        }
        ensure!(browser.evaluate("document.querySelector('.at').id")? == "router-VI_mail");
        browser::keep("keys.png", &browser.picture(Some(DESK))?)?;
        browser.key("Enter")?;
        browser.wait(
            "the address points at it",
            "location.hash === '#router-VI_mail' && document.querySelector('.target').id === 'router-VI_mail'",
        )?;
        browser.evaluate("draw()")?;
        ensure!(browser.evaluate("document.querySelectorAll('.target').length")? == 1, "it is marked no more");
        // search, and back
        browser.key("/")?;
        ensure!(browser.evaluate("document.activeElement.id")? == "search");
        for letter in ["m", "a", "i", "l"] {
            browser.key(letter)?;
        }
        let routers = "[...document.querySelectorAll('#routers tbody tr')].map((row) => row.id)";
        ensure!(browser.evaluate(routers)?.to_string() == "[\"router-VI_mail\"]");
        browser.key("Escape")?;
        ensure!(browser.evaluate(routers)?.as_array().is_some_and(|rows| rows.len() == 3));
        browser.key("?")?;
        ensure!(browser.evaluate("document.querySelector('#help').hidden")? == false);
        browser.key("?")?;
        browser.click("#keys")?;
        ensure!(browser.evaluate("document.querySelector('#help').hidden")? == false);
        // by the list of states, which a browser works by the keyboard
        browser.evaluate("document.querySelector('#filter').focus()")?;
        browser.key("F")?;
        browser.wait("faults only", &format!("JSON.stringify({routers}) === '[\"router-VI_v6\"]'"))?;
        ensure!(server.asked() == 2, "it asked again, though it should be still");
        Ok(())
    });
}

#[test]
fn old_data_are_said_to_be_old() {
    trial_in("page-stale", Builder { routers: 1, segments: 1, filter: Filter::Everything }, |lab| {
        let namespace = lab.router(0).namespace();
        let server = Server::start(namespace, &Site::usual())?;
        let mut browser = Browser::start(namespace, &lab.folder().join("chromium"))?;
        browser.look(DESK, Colours::Light)?;
        browser.open("http://127.0.0.1/?still")?;
        browser.wait("it has drawn", DRAWN)?;
        come_alive(&mut browser)?;
        browser.wait("it is live", "document.querySelector('#live').textContent === 'live'")?;
        let text = |word: &str| format!("document.body.innerText.includes('{word}')");
        for (number, health) in [Health::Failing, Health::Silent].into_iter().enumerate() {
            server.fare(health);
            // a change is told by the one, and nothing at all by the other
            server.show(&Site::usual());
            browser.wait("it says that its data are old", &text("no data since "))?;
            browser.wait("it shows that", "document.body.classList.contains('stale')")?;
            browser::keep(&format!("stale-{number}.png"), &browser.picture(Some(DESK))?)?;
            ensure!(browser.evaluate(&text("VI_web"))? == true, "what was known is still shown");
            // a connection that has gone silent is given up: what comes next is seen
            let mut site = if health == Health::Silent { Site::well() } else { Site::usual() };
            site.snapshot.router_id = format!("again{number}");
            server.show(&site);
            server.fare(Health::Well);
            browser.wait("it is live again", &text(&format!("again{number}")))?;
            browser.wait(
                "it says so",
                "document.querySelector('#live').textContent === 'live' && !document.body.classList.contains('stale')",
            )?;
        }
        Ok(())
    });
}

#[test]
fn texts_that_mean_harm_are_texts() {
    look("page-hostile", &Site::hostile(), |browser, _| {
        let marks = "document.querySelectorAll('main img, header img, main script, main iframe, [onerror]').length";
        ensure!(browser.evaluate(marks)? == 0, "a text has become an element");
        let shown: u64 =
            browser.evaluate(&format!("document.body.textContent.split({HOSTILE:?}).length"))?.as_u64().unwrap_or(0);
        ensure!(shown > 10, "shown as it is {shown} times");
        ensure!(browser.evaluate(&format!("document.title.includes({HOSTILE:?})"))? == true);
        for size in [DESK, [962, 900], PHONE] {
            browser.look(size, Colours::Light)?;
            browser::keep(&format!("hostile-{}.png", size[0]), &browser.picture(None)?)?;
            nothing(browser, "cut off", CUT_OFF)?;
        }
        // a fragment is from outside, too
        browser.evaluate("location.hash = '%E0%A4%A'")?;
        browser.wait("it goes on", "(draw(), true)")?;
        browser.look(DESK, Colours::Light)?;
        browser.click("#routers a")?;
        browser.wait("it is marked", "document.querySelectorAll('.target').length === 1")
    });
}

#[test]
fn a_thousand_routers_and_twenty_thousand_servers_are_shown() {
    look("page-large", &Site::large(), |browser, _| {
        let times = "performance.getEntriesByType('navigation')[0]";
        let first = browser.evaluate(&format!("Math.round(state.drawnAt - {times}.responseEnd)"))?;
        let draw = browser.evaluate("Math.round(state.cost)")?;
        let parse = "(async () => { const text = await (await fetch('/status.json')).text(); const at = performance.now(); JSON.parse(text); return [text.length, Math.round(performance.now() - at)]; })()";
        let parsed = browser.evaluate(parse)?;
        browser::keep("large.png", &browser.picture(Some(DESK))?)?;
        let text = browser.evaluate("document.body.innerText")?;
        let text = text.as_str().unwrap_or_default();
        for word in ["3 problems, 50 warnings", "1000 virtual routers, MASTER of 498", "19950 of 20000 servers in use"]
        {
            ensure!(text.contains(word), "{word}: {text:.400}");
        }
        // what is well is folded
        let rows = "document.querySelectorAll('tbody tr').length";
        ensure!(browser.evaluate(rows)?.as_u64() < Some(300), "{}", browser.evaluate(rows)?);
        // all of it can be shown, and scrolled to its end
        browser.click("[data-open=routers]")?;
        ensure!(browser.evaluate("document.querySelectorAll('#routers tbody tr').length")? == 1_000);
        let all = browser.evaluate("Math.round(state.cost)")?;
        let scroll = "(async () => {
          let worst = 0;
          const height = document.documentElement.scrollHeight;
          let before = performance.now();
          for (let at = 0; at < height; at += Math.max(800, height / 100)) {
            scrollTo(0, at);
            await new Promise(requestAnimationFrame);
            worst = Math.max(worst, performance.now() - before);
            before = performance.now();
          }
          scrollTo(0, height);
          await new Promise(requestAnimationFrame);
          const last = document.querySelector('#footer').getBoundingClientRect();
          return [Math.round(worst), last.top < innerHeight];
        })()";
        let scrolled = browser.evaluate(scroll)?;
        ensure!(scrolled[1] == true, "the end of the page is not reached: {scrolled}");
        // a link to something that is folded away shows it
        browser.click("[data-open=routers]")?;
        browser.evaluate("location.hash = 'router-V900'")?;
        browser.wait("it is shown", "document.querySelectorAll('#router-V900.target').length === 1")?;
        // one of 20,000 is found
        browser.key("/")?;
        for letter in "10.200.77.123".chars() {
            browser.key(&letter.to_string())?;
        }
        browser.wait("it is found", "document.querySelectorAll('#services tbody tr').length === 1")?;
        browser.key("Escape")?;
        writeln!(
            std::io::stderr(),
            "page of 1,000 routers and 20,000 servers: first drawn after {first} ms, {} octets parsed in {} ms; drawn anew in {draw} ms, \
             with all routers {all} ms; the longest frame of a scroll {} ms",
            parsed[0],
            parsed[1],
            scrolled[0]
        )?;
        Ok(())
    });
}

/// What a person sees of the question.
const QUESTION: &str = "document.querySelector('#ask').open && document.querySelector('#ask').innerText";

/// Presses a button, until the page asks that. It may be drawn anew, and the button be elsewhere, between the look for it and the press.
fn press(browser: &mut Browser, selector: &str, question: &str) -> Result<()> {
    wait_until("it asks", patience(Duration::from_secs(5)), || {
        browser.click(selector)?;
        Ok(browser.evaluate(&format!("String({QUESTION}).includes('{question}')"))? == true)
    })
}

#[test]
fn who_has_the_token_may_change_things() {
    look("page-actions", &Site::usual(), |browser, server| {
        let buttons = "document.querySelectorAll('[data-act]:not([hidden])').length";
        let drain = "[data-act=drain][data-about*='10.0.0.11']";
        // nothing to see, and nothing to do, unless the daemon says so
        ensure!(browser.evaluate(buttons)? == 0 && browser.evaluate("$('unlock').hidden")? == true);
        server.allow(Some("0123456789abcdef"));
        come_alive(browser)?;
        browser.wait("it may be unlocked", "!$('unlock').hidden")?;
        ensure!(browser.evaluate(buttons)? == 0, "without a token");

        browser.click("#unlock")?;
        for key in "wrong".chars().map(String::from) {
            browser.key(&key)?;
        }
        browser.key("Enter")?;
        browser.wait("it is wrong", "$('ask-wrong').textContent.includes('wrong')")?;
        ensure!(browser.evaluate("sessionStorage.length")? == 0);
        browser.evaluate("$('ask-value').value = ''")?;
        for key in "0123456789abcdef".chars().map(String::from) {
            browser.key(&key)?;
        }
        browser::keep("token.png", &browser.picture(None)?)?;
        browser.key("Enter")?;
        browser.wait("there are buttons", &format!("{buttons} > 2 && !$('ask').open"))?;
        let kept =
            browser.evaluate("[sessionStorage.length, localStorage.length, document.cookie, $('ask-value').value]")?;
        ensure!(kept == serde_json::json!([1, 0, "", ""]), "{kept}");
        for (size, name) in [(DESK, "desk"), (PHONE, "phone"), ([320, 640], "small")] {
            for (colours, colour) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
                browser.look(size, colours)?;
                browser::keep(&format!("actions-{name}-{colour}.png"), &browser.picture(None)?)?;
                nothing(browser, &format!("{name} {colour}: cut off"), CUT_OFF)?;
                nothing(browser, &format!("{name} {colour}: faint"), FAINT)?;
            }
        }
        browser.look(DESK, Colours::Light)?;

        // what takes something out of service is asked first, and may be left
        press(browser, drain, "Drain")?;
        ensure!(browser.evaluate("document.activeElement.id")? == "ask-no", "Enter leaves it");
        browser::keep("question.png", &browser.picture(None)?)?;
        nothing(browser, "question: faint", FAINT)?;
        browser.key("Escape")?;
        browser.wait("it asks no more", "!$('ask').open")?;
        ensure!(server.changes().is_empty());
        press(browser, drain, "Drain")?;
        browser.click("#ask-yes")?;
        browser.wait("it is done", "$('done').textContent.includes('Drain')")?;
        let changes = server.changes();
        ensure!(
            changes.len() == 1 && changes[0].contains("\"weight\":0") && changes[0].contains("10.0.0.11"),
            "{changes:?}"
        );

        press(browser, "[data-act=priority][data-about*='VI_web']", "Priority")?;
        browser.evaluate("$('ask-value').value = '255'")?;
        browser.key("Enter")?;
        browser.wait("it is too large", "$('ask-wrong').textContent === '1 to 254'")?;
        browser.evaluate("$('ask-value').value = '90'")?;
        browser.key("Enter")?;
        browser.wait("it is done", "$('done').textContent.includes('Priority')")?;
        ensure!(server.changes() == ["{\"priority\":{\"instance\":\"VI_web\",\"priority\":90}}"]);
        press(browser, "[data-act=leave][data-about*='VI_web']", "maintenance")?;
        browser.click("#ask-yes")?;
        browser.wait("it is done", "$('done').textContent.includes('maintenance')")?;
        ensure!(server.changes() == ["{\"maintenance\":{\"instance\":\"VI_web\",\"on\":true}}"]);
        browser.click("#reload")?;
        browser.click("#ask-yes")?;
        browser.wait("it is done", "$('done').textContent.includes('Read')")?;
        ensure!(server.changes() == ["\"reload\""]);

        // the daemon's no is shown
        let stubborn = "open({ what: 'Drain it?', more: '', yes: 'Drain', change: () => ({ weight: { server: 'stubborn', weight: 0 } }) })";
        browser.evaluate(&format!("void {stubborn}"))?;
        browser.click("#ask-yes")?;
        browser.wait("it says why", "$('ask-wrong').textContent === 'no server is called stubborn'")?;
        browser.key("Escape")?;

        // another token: this one is forgotten
        server.allow(Some("another token now"));
        press(browser, drain, "Drain")?;
        browser.click("#ask-yes")?;
        browser.wait("it is wrong", "$('ask-wrong').textContent.includes('wrong')")?;
        browser.key("Escape")?;
        browser.wait("the buttons go", &format!("{buttons} === 0"))?;
        ensure!(browser.evaluate("sessionStorage.length")? == 0 && server.changes().is_empty());
        Ok(())
    });
}
