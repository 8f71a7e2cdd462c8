// Times in the reader's zone, and durations that go on. The server writes UTC; <time data-ago> is shown as how long ago it was,
// <time data-clock> as a clock, and an element with data-since counts on from the moment at which it was sent.
(() => {
  "use strict";
  // A formatter is made when it is first needed: the first of a fresh browser takes longer than all else that is done before it paints.
  const made = {};
  const format = (at, dateStyle, timeStyle) => (made[dateStyle + timeStyle] ||= new Intl.DateTimeFormat(undefined, { dateStyle, timeStyle })).format(at);
  const day = at => format(at, "medium"), clock = at => format(at, "medium", "medium");

  function ago(at) {
    const s = Math.round((Date.now() - at) / 1000), plural = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"}`;
    const text = n => n < 60 ? plural(n, "second") : n < 3600 ? plural(Math.floor(n / 60), "minute") : n < 172800 ? plural(Math.floor(n / 3600), "hour") : plural(Math.floor(n / 86400), "day");
    if (s > 30 * 86400 || s < -30 * 86400) return day(at);
    if (s < 0) return "in " + text(-s);
    return s < 5 ? "just now" : text(s) + " ago";
  }

  // took is as format.go has it.
  function took(s) {
    if (s < 10) return s.toFixed(1) + " s";
    if (s < 60) return Math.floor(s) + " s";
    const two = n => String(Math.floor(n)).padStart(2, "0");
    if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
    if (s < 172800) return `${Math.floor(s / 3600)}h ${two(s / 60 % 60)}m`;
    return Math.floor(s / 86400) + " days";
  }

  function put(node, text) { if (node.textContent !== text) node.textContent = text; }

  // lasting is as format.go has it.
  function lasting(s) {
    const plural = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"}`;
    if (s < 60) return "less than a minute";
    return s < 3600 ? plural(Math.floor(s / 60), "minute") : s < 172800 ? plural(Math.floor(s / 3600), "hour") : plural(Math.floor(s / 86400), "day");
  }

  function show() {
    if (document.hidden) return;
    for (const node of document.querySelectorAll("time[data-lasting]")) {
      const at = new Date(node.dateTime);
      if (isNaN(at)) continue;
      put(node, lasting((Date.now() - at) / 1000));
    }
    for (const node of document.querySelectorAll("time[data-ago], time[data-clock]")) {
      const at = new Date(node.dateTime);
      if (isNaN(at)) continue;
      put(node, node.hasAttribute("data-ago") ? ago(at) : clock(at));
    }
    for (const node of document.querySelectorAll("[data-since]")) {
      const since = new Date(node.dataset.since);
      if (!isNaN(since)) put(node, took(Math.max(0, (Date.now() - since) / 1000)));
    }
  }

  // The whole date is told by a title, which nobody reads without pointing at it.
  document.addEventListener("pointerover", event => {
    const node = event.target instanceof Element && event.target.closest("time[datetime]"), at = node && new Date(node.dateTime);
    if (node && !isNaN(at)) node.title = format(at, "full", "long");
  });

  show();
  setInterval(show, 1000);
  for (const event of ["runner:fresh", "visibilitychange"]) document.addEventListener(event, show);
})();
