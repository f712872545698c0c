// Phasegate's own script. Everything works without it except following and filtering the log:
// buttons are plain forms, live parts come by htmx. No inline handlers: the page has a strict CSP.
"use strict";

(function () {
  // ---- live parts: keep what the person opened, focused or scrolled when a part is replaced
  const openSteps = new Set();

  document.addEventListener("toggle", function (event) {
    const step = event.target;
    if (step instanceof HTMLDetailsElement && step.dataset.key) {
      if (step.open) openSteps.add(step.dataset.key);
      else openSteps.delete(step.dataset.key);
    }
  }, true);

  function reopen(root) {
    root.querySelectorAll("details[data-key]").forEach(function (step) {
      if (openSteps.has(step.dataset.key)) step.open = true;
    });
  }

  // A part in which somebody types or has the focus is not replaced under their hands.
  document.addEventListener("htmx:beforeSwap", function (event) {
    const part = event.detail.target;
    const active = document.activeElement;
    if (part && active && part !== active && part.contains(active)
        && active.matches("input, textarea, select, button, summary")) {
      event.detail.shouldSwap = false;
    }
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    reopen(event.detail.target.getRootNode());
    followLog();
    filterLog();
  });
  // The server cannot be reached: say so, and keep the last picture.
  function connection(lost) {
    const note = document.getElementById("pg-connection");
    if (note) note.hidden = !lost;
  }
  document.addEventListener("htmx:sendError", function () { connection(true); });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.successful) connection(false);
  });

  // ---- log: follow, wrap, level, filter
  function log() { return document.getElementById("pg-log"); }
  function control(name) { return document.querySelector("[data-log='" + name + "']"); }

  function followLog() {
    const box = log(), follow = control("follow");
    if (box && follow && follow.checked) box.scrollTop = box.scrollHeight;
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
    if (event.target.matches("[data-log='wrap']")) log().classList.toggle("pg-log--wrap", event.target.checked);
    if (event.target.matches("[data-log='follow']")) followLog();
  });

  // ---- a form is sent once: a double click must not ask twice
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    window.setTimeout(function () { delete form.dataset.sent; }, 4000);
  });

  document.addEventListener("DOMContentLoaded", followLog);
})();
