// Phasegate's own script. Everything works without it except following and filtering the log:
// buttons are plain forms, live parts come by htmx. No inline handlers: the page has a strict CSP.
"use strict";

(function () {
  // ---- live parts: an answer of the server is merged into the page, so that what a person has typed,
  // opened, focused, selected or scrolled stays as it is
  const turned = new Set(); // ids of the details that the person opened or closed
  document.addEventListener("click", function (event) {
    const summary = event.target.closest("summary");
    if (summary && summary.parentElement.id) turned.add(summary.parentElement.id);
  });

  function keep(name, node) {
    if (name === "open" && turned.has(node.id)) return false;
    if (name === "value" || name === "checked") {
      return !node.matches("input:not([type=hidden]), textarea, select, option");
    }
    return true;
  }
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = keep;

  const note = (id) => document.getElementById(id);
  function show(id, shown) {
    if (note(id)) note(id).hidden = !shown;
  }
  // Who has been logged out gets the login page: say so, and keep the last picture.
  document.addEventListener("htmx:beforeSwap", function (event) {
    const wanted = event.detail.pathInfo.requestPath.split("?")[0];
    const given = event.detail.xhr.responseURL;
    const elsewhere = given !== "" && new URL(given).pathname !== wanted;
    show("pg-session", elsewhere);
    if (elsewhere) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSwap", function () {
    wrapLog();
    filterLog();
    followLog();
  });
  // The server cannot be reached, or is in trouble: say so, and keep the last picture.
  document.addEventListener("htmx:sendError", function () { show("pg-connection", true); });
  document.addEventListener("htmx:responseError", function () { show("pg-connection", true); });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.successful) show("pg-connection", false);
  });

  // ---- log: follow, wrap, level, filter
  function log() { return document.getElementById("pg-log"); }
  function control(name) { return document.querySelector("[data-log='" + name + "']"); }

  function followLog() {
    const box = log(), follow = control("follow");
    if (box && follow && follow.checked) box.scrollTop = box.scrollHeight;
  }
  function wrapLog() {
    const box = log(), wrap = control("wrap");
    if (box && wrap) box.classList.toggle("pg-log--wrap", wrap.checked);
  }
  function filterLog() {
    const box = log(), words = control("filter"), level = control("level");
    if (!box || !words || !level) return;
    const wanted = words.value.toLowerCase();
    box.querySelectorAll("li").forEach(function (line) {
      const quiet = level.value === "warnings" && line.dataset.level === "info";
      line.hidden = quiet || (wanted !== "" && !line.textContent.toLowerCase().includes(wanted));
    });
  }
  document.addEventListener("input", function (event) {
    if (event.target.matches("[data-log='filter'], [data-log='level']")) filterLog();
  });
  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-log='wrap']")) wrapLog();
    if (event.target.matches("[data-log='follow']")) followLog();
  });

  // ---- times: pages say UTC; on hover also the reader's own time. What says "3 min ago" goes on by itself,
  // counted from what the server said, so that a browser's wrong clock does not matter
  const MINUTE = 60, DAY = 86400; // seconds
  const seen = new WeakMap(); // element → the age that the server told, and when it did
  const local = new Intl.DateTimeFormat(undefined, {
    weekday: "short", day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
    second: "2-digit", timeZoneName: "short",
  });

  function lasts(seconds) {
    if (seconds < 2 * MINUTE) return seconds + " s";
    const minutes = Math.round(seconds / MINUTE);
    if (minutes < 120) return minutes + " min";
    const rest = minutes % 60, hours = Math.floor(minutes / 60) + " h";
    return rest ? hours + " " + String(rest).padStart(2, "0") + " min" : hours;
  }
  function ago(seconds) {
    if (seconds < 2) return "just now";
    const days = Math.floor(seconds / DAY);
    return days > 1 ? days + " days ago" : lasts(seconds) + " ago";
  }
  function tick() {
    const now = performance.now();
    document.querySelectorAll("time.pg-ago").forEach(function (time) {
      const told = time.dataset.age;
      if (!seen.has(time) || seen.get(time).told !== told) seen.set(time, { told: told, at: now });
      const words = ago(Math.floor(Number(told) + (now - seen.get(time).at) / 1000));
      if (time.textContent !== words) time.textContent = words;
    });
  }
  window.setInterval(tick, 1000);

  document.addEventListener("mouseover", function (event) {
    const time = event.target.closest("time[datetime]");
    if (!time) return;
    const moment = new Date(time.dateTime);
    const utc = moment.toISOString().slice(0, 19).replace("T", " ") + " UTC";
    time.title = local.format(moment) + " where you are, " + utc;
  });

  // ---- a form is sent once: a double click must not ask twice
  const sent = new WeakSet();
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (form.method !== "post") return;
    if (sent.has(form)) { event.preventDefault(); return; }
    sent.add(form);
    window.setTimeout(function () { sent.delete(form); }, 4000);
  });

  // A document can be printed: the button is there only where a script can do it.
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-print]").forEach(function (button) { button.hidden = false; });
  });
  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-print]")) window.print();
  });

  // A check's tile opens its hour.
  function openHash() {
    const part = window.location.hash.length > 1 && document.getElementById(window.location.hash.slice(1));
    if (part instanceof HTMLDetailsElement) { turned.add(part.id); part.open = true; }
  }
  window.addEventListener("hashchange", openHash);

  document.addEventListener("DOMContentLoaded", function () { followLog(); openHash(); });
})();
