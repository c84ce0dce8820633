// What may be changed by those who have the token (`page_token_file`): buttons, the questions before, and the requests. The daemon decides; a
// page without the token has no buttons.
"use strict";

const TOKEN = "keepalived-token"; // in sessionStorage: it ends with the tab
const TO_CHANGE = 20000; // ms: the daemon answers within 8 s

const acting = { allowed: false, question: null };

// the tab's own memory; a browser may deny that
function token(value) {
  try {
    if (value === null) sessionStorage.removeItem(TOKEN);
    else if (value !== undefined) sessionStorage.setItem(TOKEN, value);
    return sessionStorage.getItem(TOKEN);
  } catch {
    if (value !== undefined) acting.token = value;
    return acting.token || null;
  }
}

const mayAct = () => acting.allowed && Boolean(token());

// what the daemon says about it comes with each document
function allow(answer) {
  acting.allowed = answer.headers.get("page-actions") === "token";
  $("unlock").hidden = !acting.allowed;
  $("reload").hidden = !mayAct();
  $("unlock").textContent = token() ? "Forget the token" : "Change things";
}

// a button of a row; what it is about is in its key
function button(kind, words, about) {
  const key = [kind, about.service, about.name].join("\n");
  return make("button", { type: "button", class: "act", "data-act": kind, "data-key": key, "data-about": JSON.stringify(about) }, words);
}

function routerActions(it) {
  if (!mayAct()) return null;
  const about = { name: it.name, priority: it.base_priority };
  const isAway = it.faults.includes("maintenance");
  return make("div", { class: "acts" },
    isAway ? button("return", "End maintenance", about) : button("leave", "Maintenance", about), button("priority", "Priority", about));
}

function serverActions(service, server) {
  if (!mayAct()) return null;
  const about = { name: server.name, service: service.name, weight: server.weight };
  return make("div", { class: "acts" },
    server.weight === 0 ? button("enable", "Enable", about) : button("drain", "Drain", about), button("weight", "Weight", about));
}

// what each button does: what is asked before, and the change in the words of the control socket
const ACTS = {
  drain: (it) => ({ what: "Drain " + it.name + "?", more: "It gets no new connections of " + it.service + ". Those that it has stay.", yes: "Drain",
    change: () => ({ weight: { server: it.name, service: it.service, weight: 0 } }) }),
  enable: (it) => ({ now: true, what: "enable " + it.name, change: () => ({ weight: { server: it.name, service: it.service, weight: null } }) }),
  weight: (it) => ({ what: "Weight of " + it.name, more: "0 to 65535 in " + it.service + "; 0 drains it.", yes: "Set", number: [0, 65535, it.weight],
    change: (value) => ({ weight: { server: it.name, service: it.service, weight: value } }) }),
  leave: (it) => ({ what: "Put " + it.name + " into maintenance?", more: "It hands over, and stays away until maintenance ends.", yes: "Hand over",
    change: () => ({ maintenance: { instance: it.name, on: true } }) }),
  return: (it) => ({ now: true, what: "end maintenance of " + it.name, change: () => ({ maintenance: { instance: it.name, on: false } }) }),
  priority: (it) => ({ what: "Priority of " + it.name, more: "1 to 254. Another router may become master.", yes: "Set", number: [1, 254, it.priority],
    change: (value) => ({ priority: { instance: it.name, priority: value } }) }),
  reload: () => ({ what: "Read the configuration again?", more: "One that cannot be used changes nothing.", yes: "Reload", change: () => "reload" }),
};

// "" if it was done, else why not
async function post(path, secret, body) {
  try {
    const answer = await fetch(path, {
      method: "POST", body, cache: "no-store", signal: AbortSignal.timeout(TO_CHANGE),
      headers: { Authorization: "Bearer " + secret, "Content-Type": "application/json" },
    });
    if (answer.ok) return "";
    // it is another one now
    if (answer.status === 401 && secret === token()) token(null);
    return (await answer.text()).trim() || answer.statusText;
  } catch {
    return "the daemon does not answer";
  }
}

function say(words) {
  $("done").textContent = words;
}

async function perform(question, value) {
  const why = await post("/change", token(), JSON.stringify(question.change(value)));
  if (!why) {
    say("done: " + question.what.replace("?", ""));
    ask();
  }
  return why;
}

// asks before something is changed
function open(question) {
  acting.question = question;
  const { what, more, yes, number, secret } = question;
  $("ask-what").textContent = what;
  $("ask-more").textContent = more;
  $("ask-yes").textContent = yes;
  $("ask-wrong").textContent = "";
  const field = $("ask-value");
  field.hidden = !number && !secret;
  // not a password: a browser would offer to keep it
  field.type = secret ? "text" : "number";
  field.classList.toggle("secret", Boolean(secret));
  field.value = number ? number[2] : "";
  field.min = number ? number[0] : "";
  field.max = number ? number[1] : "";
  $("ask-configured").hidden = !number;
  waits(false);
  $("ask").showModal();
  if (field.hidden) $("ask-no").focus();
  else { field.focus(); field.select(); }
}

function waits(does) {
  for (const id of ["ask-yes", "ask-configured"]) $(id).disabled = does;
}

async function answer(value) {
  const { question } = acting;
  if (!question || $("ask-yes").disabled) return;
  waits(true);
  const why = question.secret ? await unlock(value) : await perform(question, value);
  if (acting.question !== question) return;
  waits(false);
  $("ask-wrong").textContent = why;
  if (!why) $("ask").close();
}

async function unlock(secret) {
  const why = await post("/token", secret);
  if (!why) {
    token(secret);
    ask();
  }
  return why;
}

function yes() {
  const { number, secret } = acting.question;
  const field = $("ask-value");
  if (!number && !secret) return answer();
  if (!field.value || !field.checkValidity()) {
    $("ask-wrong").textContent = number ? number[0] + " to " + number[1] : "the token is missing";
    return field.focus();
  }
  return answer(number ? Number(field.value) : field.value.trim());
}

async function begin(kind, about) {
  const question = ACTS[kind](about);
  if (!question.now) return open(question);
  const why = await perform(question);
  if (why) say(question.what + ": " + why);
}

document.addEventListener("click", (event) => {
  const it = event.target.closest("[data-act]");
  if (it) begin(it.getAttribute("data-act"), JSON.parse(it.getAttribute("data-about") || "{}"));
});

function prepare() {
  $("unlock").addEventListener("click", () => {
    if (token()) {
      token(null);
      return ask();
    }
    return open({ secret: true, what: "Token", more: "What the file of page_token_file holds. It is forgotten when this tab is closed.", yes: "Unlock" });
  });
  $("ask-yes").addEventListener("click", yes);
  $("ask-no").addEventListener("click", () => $("ask").close());
  $("ask-configured").addEventListener("click", () => answer(null));
  $("ask-value").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); yes(); }
  });
  $("ask").addEventListener("close", () => { acting.question = null; $("ask-value").value = ""; });
}
