// Draws the page from /status.json and /events.json. Every text that comes from the daemon is shown as text, never as markup.
"use strict";

const MOST = 100; // rows that a table shows before it folds what is well
const MOST_ROWS = 2000; // of a kind that are drawn at all
const STALE = 5000; // ms without a word until the page says so
const LOST = 15000; // ms without a word until it connects anew: a connection that has gone silent never ends
const HANGS = 20000; // ms for an answer
const LOOK = 10000; // ms from one look at numbers, which nobody tells of, to the next
let STILL = location.search === "?still"; // draws once: for printers, and for pictures by a command
const LATENCIES = 60; // points of a sparkline
const MOST_REMEMBERED = 2000; // servers with a sparkline

const state = {
  doc: null, events: [], transitions: new Map(), latencies: new Map(), heard: 0, failing: 0, open: new Set(), at: null, shown: null,
  asking: false, again: false, cost: 0, took: 0, asked: 0, tried: 0, source: null, pressed: 0,
};
const $ = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === "") continue;
    element.append(child);
  }
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (large, small, a, b) => {
    const rest = Math.floor((s % large) / small);
    return Math.floor(s / large) + " " + a + (rest ? " " + rest + " " + b : "");
  };
  if (s < 60) return s + " s";
  if (s < 3600) return two(60, 1, "min", "s");
  if (s < 86400) return two(3600, 60, "h", "min");
  return two(86400, 3600, "d", "h");
}

// the clock of the daemon, so that a wrong clock of the browser changes nothing
const now = () => (state.doc ? state.doc.at + (performance.now() - state.drawnAt) / 1000 : 0);
const ago = (since) => (since ? span(now() - since) : "");
const plural = (count, what) => count + " " + what + (count === 1 ? "" : "s");

function clock(at) {
  const date = new Date(at * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const isToday = date.toDateString() === new Date(now() * 1000).toDateString();
  return isToday ? time : two(date.getMonth() + 1) + "-" + two(date.getDate()) + " " + time.slice(0, 5);
}

const badge = (kind, text) => make("span", { class: "badge " + kind }, text);

function stateBadge(name) {
  const kinds = { MASTER: "master", BACKUP: "backup", FAULT: "fault" };
  return badge(kinds[name] || "other", name);
}

// whether what a row says has the word that is searched for, and its state the one that is chosen
function wanted(words, states) {
  const word = $("search").value.trim().toLowerCase();
  const filter = $("filter").value;
  if (filter && !states.includes(filter)) return false;
  return !word || words.some((text) => text && String(text).toLowerCase().includes(word));
}

const searching = () => $("search").value.trim() !== "" || $("filter").value !== "";

function heading(text, more) {
  return make("h2", {}, text, more ? make("span", {}, more) : null);
}

function replace(id, ...children) {
  $(id).replaceChildren(...children.filter((child) => child));
}

function problems(doc) {
  const list = doc.problems.map((problem) =>
    make("div", { class: problem.severity === "problem" ? "problem" : "problem wait" },
      make("span", { class: "mark" }, problem.severity === "problem" ? "▲" : "!"),
      make("b", {}, problem.what), make("p", {}, problem.detail),
      problem.since ? make("time", {}, "for " + ago(problem.since)) : null));
  const shown = list.slice(0, MOST);
  if (list.length > MOST) shown.push(make("div", { class: "more" }, (list.length - MOST) + " more"));
  if (!list.length) shown.push(make("div", { class: "well" }, "✓ All well"));
  replace("problems", list.length ? heading("Needs attention") : null, make("div", { class: "sheet" }, shown));
}

// the states of an instance in the time of the lane, from its transitions
function lane(instance, seconds) {
  const end = now();
  const begin = end - seconds;
  const mine = state.transitions.get(instance.name) || [];
  const parts = [];
  let until = end;
  let current = instance.state;
  for (const event of mine) { // newest first
    if (event.at > end) continue;
    parts.push([Math.max(event.at, begin), until, event.to]);
    until = event.at;
    current = event.from;
    if (event.at <= begin) break;
  }
  const known = Math.max(begin, mine.length ? begin : instance.since, state.doc.daemon.started || begin);
  if (until > known) parts.push([known, until, current]);
  const kinds = { MASTER: "m", BACKUP: "b", FAULT: "f" };
  const x = (at) => (100 * (at - begin)) / seconds;
  const bars = parts.filter(([from, to]) => to > begin && to > from).map(([from, to, name]) =>
    svg("rect", { class: kinds[name] || "n", x: x(Math.max(from, begin)).toFixed(2), width: Math.max(0.3, x(to) - x(Math.max(from, begin)) - 0.2).toFixed(2), height: 10 }));
  const words = parts.slice(0, 5).map(([from, , name]) => name + " since " + clock(from)).join(", before it ");
  return svg("svg", { class: "lane", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": words }, ...bars);
}

function routers(doc) {
  if (!doc.instances.length) return replace("routers");
  const seconds = Number($("span").value);
  const isLarge = doc.instances.length > MOST && !searching();
  const folds = isLarge && !state.open.has("routers");
  const linked = target();
  const fits = doc.instances.filter((it) =>
    wanted([it.name, it.interface, it.cause, ...it.faults, ...it.addresses.map((a) => a.address)], [it.state]));
  const isIll = (it) => it.state !== "MASTER" && it.state !== "BACKUP";
  const shown = folds ? fits.filter((it) => isIll(it) || linked === "router-" + it.name) : fits;
  const axis = { 3600: ["−60 min", "−30", "now"], 86400: ["−24 h", "−12", "now"], 604800: ["−7 d", "−3.5", "now"] }[seconds];
  const head = ["Router", "State", "Since", "Priority", "Master", "Addresses"].map((name) => make("th", {}, name));
  head.push(make("th", { class: "lanes" }, make("div", { class: "axis" }, axis.map((text) => make("span", {}, text)))));
  const rows = shown.slice(0, MOST_ROWS).map((it) => {
    const change = it.priority - it.base_priority;
    const addresses = it.addresses.slice(0, 4).flatMap((a) => [
      make("code", {}, a.address + "/" + a.prefix + (a.set ? " ✓" : it.state === "MASTER" ? " ✕" : "")), make("br")]);
    if (it.addresses.length > 4) addresses.push(make("small", {}, "and " + (it.addresses.length - 4) + " more"));
    else if (it.state === "BACKUP" && it.addresses.length) addresses.push(make("small", {}, "at the master"));
    const reason = it.faults.length ? it.faults.join(", ") : it.cause;
    return make("tr", { id: "router-" + it.name, class: "row" },
      make("td", {}, make("b", {}, make("a", { href: "#router-" + encodeURIComponent(it.name) }, it.name)),
        make("small", {}, ["VRID " + it.vrid, it.interface, "v" + it.version].filter(Boolean).join(" · "))),
      make("td", {}, stateBadge(it.state)),
      make("td", { "data-name": "since" }, ago(it.since), reason ? make("small", {}, reason) : null),
      make("td", { "data-name": "priority" }, String(it.priority),
        change ? make("small", {}, it.base_priority + (change > 0 ? " + " : " − ") + Math.abs(change)) : null, routerActions(it)),
      make("td", { "data-name": "master" }, it.state === "MASTER" ? "this router" : it.master ? it.master.address : "none heard",
        it.master ? make("small", {}, "priority " + it.master.priority) : null),
      make("td", {}, addresses), make("td", {}, lane(it, seconds)));
  });
  const table = make("table", {}, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows));
  const count = (name) => doc.instances.filter((it) => it.state === name).length;
  const counts = count("MASTER") + " MASTER, " + count("BACKUP") + " BACKUP";
  const more = isLarge ? foldRow("routers", !folds, folds ? counts + ": show all" : "show only what is neither MASTER nor BACKUP") : null;
  replace("routers", heading("Virtual routers", $("span").selectedOptions[0].text),
    make("div", { class: "sheet" }, more, shown.length ? table : more ? null : nothing(), beyond(shown.length)));
}

// what opens and closes other rows, by the mouse and by the keyboard
function foldRow(key, isOpen, ...children) {
  return make("div", { class: "more fold row", "data-open": key, tabindex: "0", role: "button", "aria-expanded": String(isOpen) }, ...children);
}

const nothing = () => make("div", { class: "more" }, "nothing fits what is searched for");
const beyond = (count) => (count > MOST_ROWS ? make("div", { class: "more" }, (count - MOST_ROWS) + " more: search shows them") : null);

// what the address of the page points at
function target() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

// the last latencies of a server, as a line; a gap is a time without a result
function sparkline(key) {
  const points = state.latencies.get(key) || [];
  const most = Math.max(...points.map((point) => point.took || 0));
  if (points.length < 2 || !most) return null;
  const x = (at) => (60 * at / (LATENCIES - 1)).toFixed(1);
  const y = (took) => (14 - 13 * took / most).toFixed(1);
  const drawing = svg("svg", { class: "spark", viewBox: "0 0 60 15", role: "img", "aria-label": "latest latencies, at most " + millis(most) });
  const line = points.map((point, at) => x(at) + "," + y(point.took || 0)).join(" ");
  drawing.append(svg("polyline", { points: line, fill: "none" }));
  points.forEach((point, at) => { if (!point.up) drawing.append(svg("rect", { x: x(at), y: 0, width: 1.5, height: 15 })); });
  return drawing;
}

function millis(seconds) {
  const ms = seconds * 1000;
  return ms < 10 ? ms.toFixed(1) + " ms" : ms < 1000 ? ms.toFixed(0) + " ms" : (ms / 1000).toFixed(1) + " s";
}

const latency = (server) => Math.max(0, ...server.checks.map((check) => check.latency || 0));

// remembers the latencies of this answer; a page that shows 20,000 servers remembers those that it may draw
function remember(doc) {
  const before = state.latencies;
  state.latencies = new Map();
  for (const service of doc.virtual_servers) {
    for (const server of service.real_servers) {
      if (state.latencies.size >= MOST_REMEMBERED) return;
      const key = service.name + " " + server.name;
      const points = before.get(key) || [];
      points.push({ up: server.up, took: latency(server) });
      if (points.length > LATENCIES) points.shift();
      state.latencies.set(key, points);
    }
  }
}

function verdict(server) {
  if (!server.up) return badge("down", server.cause || "out");
  if (server.weight === 0) return badge("drain", "draining");
  if (!server.checks.length) return badge("other", "not checked");
  return server.checks.every((check) => check.has_run) ? badge("up", server.checks.map((check) => check.keyword.replace("_CHECK", "")).join(", ")) : badge("other", "not checked yet");
}

function services(doc) {
  if (!doc.virtual_servers.length) return replace("services");
  const total = doc.virtual_servers.reduce((sum, service) => sum + service.real_servers.length + 1, 0);
  const isLarge = total > MOST && !searching();
  const linked = target();
  let left = MOST_ROWS;
  let hidden = 0;
  let beyondAll = 0;
  const sheets = doc.virtual_servers.map((service) => {
    const up = service.real_servers.filter((server) => server.up).length;
    const fits = service.real_servers.filter((server) =>
      wanted([service.name, server.name, server.cause], [server.up ? "up" : "down"]));
    const key = "service-" + service.name;
    const counts = Boolean(service.traffic && service.traffic.active !== undefined); // nftables does not count connections
    const isIll = !service.quorum_up || up < service.real_servers.length;
    if (searching() && !fits.length && !wanted([service.name], [service.quorum_up ? "up" : "down"])) return null;
    // a large site is folded until it is opened, a small one open until it is folded
    const isOpen = searching() || linked === key || isLarge === state.open.has(key);
    if (isLarge && !isIll) hidden += 1;
    if (isLarge && !isIll && !isOpen && !state.open.has("services")) return null;
    if (left <= 0) { beyondAll += 1; return null; }
    const shown = isOpen ? fits : isLarge ? fits.filter((server) => !server.up) : [];
    const rows = shown.slice(0, left).map((server) => make("tr", { class: "row", "data-key": key + " " + server.name },
      make("td", {}, make("code", {}, make("b", {}, server.name))), make("td", {}, verdict(server)),
      make("td", { class: "num", "data-name": "weight" }, server.up ? String(server.weight) : "out", serverActions(service, server)),
      counts ? make("td", { class: "num", "data-name": "active" }, String(server.traffic.active)) : null,
      counts ? make("td", { class: "num", "data-name": "waiting" }, String(server.traffic.inactive)) : null,
      make("td", { class: "num", "data-name": "latency" }, server.up && latency(server) ? millis(latency(server)) : "–"),
      make("td", {}, sparkline(service.name + " " + server.name)),
      make("td", { class: "soft" }, server.since ? (server.up ? "up for " : "down for ") + ago(server.since) : "")));
    left -= rows.length + 1;
    return make("div", { class: "sheet", id: key },
      make("div", { class: "service row fold", "data-open": key, tabindex: "0", role: "button", "aria-expanded": String(isOpen) },
        make("code", {}, make("b", {}, service.name)),
        make("span", { class: "soft" }, "quorum " + service.quorum + " · weight " + service.weight),
        badge(service.quorum_up ? "up" : "down", up + " of " + service.real_servers.length)),
      rows.length ? make("table", {}, make("thead", {}, make("tr", {}, make("th", {}, "Server"), make("th", {}, "Check"),
        make("th", { class: "num" }, "Weight"), counts ? make("th", { class: "num" }, "Active") : null,
        counts ? make("th", { class: "num" }, "Waiting") : null, make("th", { class: "num" }, "Latency"), make("th", {}),
        make("th", {}, "Last change"))), make("tbody", {}, rows)) : null,
      shown.length > rows.length ? make("div", { class: "more" }, (shown.length - rows.length) + " more: search shows them") : null);
  }).filter(Boolean);
  const all = state.open.has("services");
  if (hidden) {
    sheets.push(make("div", { class: "sheet" }, foldRow("services", all,
      all ? "show only what is not well" : plural(hidden, "virtual server") + " with all servers up: show all")));
  }
  if (beyondAll) sheets.push(make("div", { class: "sheet more" }, plural(beyondAll, "more virtual server") + ": search shows them"));
  if (!sheets.length) sheets.push(make("div", { class: "sheet" }, nothing()));
  replace("services", heading("Virtual servers"), ...sheets);
}

function trackers(doc) {
  const fits = doc.trackers.filter((it) => wanted([it.name, it.kind, it.detail], [it.state]));
  if (!fits.length) return replace("trackers");
  const rows = fits.slice(0, MOST).map((it) => make("tr", {},
    make("td", {}, make("b", {}, it.name), make("small", {}, it.kind)),
    make("td", {}, badge(it.state === "up" ? "up" : it.state === "down" ? "down" : "other", it.detail || it.state)),
    make("td", { class: "soft" }, it.followers.slice(0, 5).map((f) => f.instance + (f.weight ? " " + (f.weight > 0 ? "+" : "−") + Math.abs(f.weight) : "")).join(", "))));
  replace("trackers", heading("Trackers"), make("div", { class: "sheet" }, make("table", {}, make("tbody", {}, rows))));
}

function sessions(doc) {
  const fits = doc.bfd_sessions.filter((it) => wanted([it.name, it.neighbor, it.diagnostic], [it.state === "Up" ? "up" : "down"]));
  if (!fits.length) return replace("sessions");
  const rows = fits.slice(0, MOST).map((it) => make("tr", {},
    make("td", {}, make("b", {}, it.name), make("small", {}, it.neighbor)),
    make("td", {}, badge(it.state === "Up" ? "up" : "down", it.state)),
    make("td", {}, ago(it.since), it.state === "Up" ? null : make("small", {}, it.silent || it.diagnostic)),
    make("td", { class: "soft" }, "notices after " + Math.round(it.detection_time * 1000) + " ms")));
  replace("sessions", heading("BFD sessions"), make("div", { class: "sheet" }, make("table", {}, make("tbody", {}, rows))));
}

function events() {
  const fits = state.events.filter((event) => wanted([event.name, event.virtual_server, event.text], [event.to, event.event]));
  if (!fits.length) return replace("events");
  const rows = fits.slice(0, 30).map((event) => make("div", { class: "event" }, make("time", {}, clock(event.at)),
    make("span", {}, make("b", {}, event.name)), make("span", {}, event.text)));
  replace("events", heading("Events"), make("div", { class: "sheet" }, rows));
}

function frame(doc) {
  const bad = doc.problems.filter((problem) => problem.severity === "problem").length;
  const odd = doc.problems.length - bad;
  const words = [bad ? plural(bad, "problem") : "", odd ? plural(odd, "warning") : ""].filter(Boolean).join(", ") || "all well";
  const parts = [words];
  if (doc.instances.length) {
    parts.push(plural(doc.instances.length, "virtual router") + ", MASTER of " + doc.instances.filter((it) => it.state === "MASTER").length);
  }
  const servers = doc.virtual_servers.flatMap((service) => service.real_servers);
  if (servers.length) parts.push(servers.filter((server) => server.up).length + " of " + plural(servers.length, "server") + " in use");
  $("name").textContent = doc.router_id;
  $("summary").textContent = parts.join(" · ");
  document.title = doc.router_id + ": " + words;
  const colour = bad ? "%23b3261e" : odd ? "%23c98a00" : "%2314804a";
  const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='" + colour + "'/></svg>";
  if ($("icon").getAttribute("href") !== icon) $("icon").setAttribute("href", icon);
  const daemon = doc.daemon;
  const reload = daemon.last_reload;
  $("footer").textContent = ["keepalived-rs " + daemon.version, daemon.started ? "up " + ago(daemon.started) : "", daemon.configuration,
    reload ? "last reload " + clock(reload.at) + (reload.refused ? " refused" : ", " + plural(reload.changes, "change")) : ""].filter(Boolean).join(" · ");
}

function draw() {
  // a button that is pressed must be there when it is let go
  if (!state.doc || performance.now() < state.pressed) return;
  const begin = performance.now();
  const focused = keyOf(document.activeElement);
  for (const part of [frame, problems, routers, services, trackers, sessions, events]) part(state.doc);
  mark();
  point();
  // what had the focus was made anew
  if (focused && document.activeElement === document.body) {
    const again = [...document.querySelectorAll("[data-open], [data-act], a[href]")].find((element) => keyOf(element) === focused);
    if (again) again.focus({ preventScroll: true });
  }
  state.drawn = performance.now();
  state.cost = state.drawn - begin;
}

async function ask() {
  if (state.asking) { state.again = true; return; }
  state.asking = true;
  state.asked = performance.now();
  try {
    const [doc, list] = await Promise.all(["/status.json", "/events.json"].map(async (path) => {
      const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(HANGS) });
      if (!answer.ok) throw new Error(answer.statusText);
      if (path === "/status.json") allow(answer);
      return answer.json();
    }));
    state.doc = doc;
    remember(doc);
    state.events = list;
    state.transitions = new Map();
    for (const event of list) {
      if (event.event !== "transition") continue;
      if (!state.transitions.has(event.name)) state.transitions.set(event.name, []);
      state.transitions.get(event.name).push(event);
    }
    state.drawnAt = performance.now();
    state.failing = 0;
    heard();
    draw();
  } catch {
    // the dot says so after a while
    state.failing = state.failing || performance.now();
  }
  state.took = performance.now() - state.asked;
  // a page that takes long to draw is drawn less often
  setTimeout(() => {
    state.asking = false;
    if (state.again) { state.again = false; ask(); }
  }, Math.max(1000, state.cost * 20));
}

function heard() {
  state.heard = performance.now();
  if (!state.failing) state.lastWord = new Date();
  freshness();
}

function freshness() {
  const old = performance.now() - STALE;
  const isFresh = state.doc && (STILL || (state.heard > old && !(state.failing && state.failing < old)));
  document.body.classList.toggle("fresh", Boolean(isFresh));
  document.body.classList.toggle("stale", Boolean(state.doc && !isFresh));
  const gone = () => "no data since " + clock(state.lastWord / 1000) + ": the daemon does not answer";
  const words = isFresh ? (STILL ? "as of " + clock(state.doc.at) : "live") : state.lastWord ? gone() : "connecting";
  // who has it read aloud hears it once
  if ($("live").textContent !== words) $("live").textContent = words;
}

// times go on while nothing happens; numbers are looked at now and then
function tick() {
  freshness();
  if (STILL) return;
  const at = performance.now();
  if (at - Math.max(state.heard, state.tried) > LOST) listen();
  if (!document.body.classList.contains("fresh") || document.hidden) return;
  if (at - state.asked > Math.max(LOOK, state.took * 100)) ask();
  // what is selected stays so
  else if (at - state.drawn > Math.max(1000, state.cost * 20) && getSelection().isCollapsed) draw();
}

function listen() {
  if (state.source) state.source.close();
  state.tried = performance.now();
  state.source = new EventSource("/live");
  state.source.addEventListener("changed", () => { heard(); ask(); });
  state.source.addEventListener("alive", () => { heard(); if (state.failing) ask(); });
  state.source.addEventListener("open", ask);
}

const rows = () => [...document.querySelectorAll(".row")];

// what is the same thing after it has been drawn anew
const keyOf = (element) => element && (element.getAttribute("data-open") || element.getAttribute("data-key") || element.id || element.getAttribute("href"));

function mark() {
  document.querySelectorAll(".at").forEach((row) => row.classList.remove("at"));
  const row = state.at && rows().find((it) => keyOf(it) === state.at);
  if (row) row.classList.add("at");
}

// marks what the address points at, and shows it the first time
function point() {
  const id = target();
  const element = id && document.getElementById(id);
  if (!element) return;
  element.classList.add("target");
  if (state.shown !== id) element.scrollIntoView({ block: "nearest" });
  state.shown = id;
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => keyOf(row) === state.at);
  const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
  state.at = keyOf(next);
  mark();
  next.scrollIntoView({ block: "nearest" });
}

function toggle(row) {
  const key = row && row.getAttribute("data-open");
  if (key) {
    if (!state.open.delete(key)) state.open.add(key);
    draw();
  } else if (row && row.id) {
    location.hash = encodeURIComponent(row.id);
  }
}

function help() {
  const shown = $("help").toggleAttribute("hidden") === false;
  $("keys").setAttribute("aria-expanded", String(shown));
}

document.addEventListener("keydown", (event) => {
  if ($("ask").open) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    $("search").value = "";
    $("filter").value = "";
    $("search").blur();
    return draw();
  }
  if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
  if (event.target.tagName === "BUTTON" && [" ", "Enter"].includes(event.key)) return;
  const open = () => toggle(event.target.closest(".row") || rows().find((row) => keyOf(row) === state.at));
  const onFold = event.target.closest("[data-open]");
  const act = { "/": () => $("search").focus(), j: () => move(1), k: () => move(-1), "?": help, Enter: open, " ": onFold && open }[event.key];
  if (act) { event.preventDefault(); act(); }
});
document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-open]");
  if (row) toggle(row);
});
// for a while: one that is let go outside tells nothing
for (const [kind, pressed] of [["pointerdown", 2000], ["pointerup", 0], ["pointercancel", 0]]) {
  document.addEventListener(kind, () => { state.pressed = pressed && performance.now() + pressed; }, true);
}
for (const id of ["search", "filter", "span"]) $(id).addEventListener("input", draw);
$("keys").addEventListener("click", help);
addEventListener("hashchange", draw);
prepare();
ask();
if (!STILL) listen();
setInterval(tick, 500);
