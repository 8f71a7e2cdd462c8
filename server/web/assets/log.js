// The page of a log: what was sent as HTML becomes a window on all of its lines, which follows while they come.
(() => {
  "use strict";
  const box = document.getElementById("log");
  if (!box) return;
  const { api, query } = box.dataset, button = id => document.getElementById("log-" + id);
  const folds = new runnerLog.Folds();
  let view = null;
  const lines = new runnerLog.Lines(api, query, Number(box.dataset.total), () => { if (view) view.soon(); });
  let complete = box.dataset.complete === "true", chosen = false;
  view = new runnerLog.View(box, lines, folds);

  // Links to lines.
  function toAnchor() {
    const m = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
    if (!m) return false;
    view.from = Number(m[1]); view.to = Math.max(view.from, Number(m[2] || m[1]));
    view.toLine(view.from);
    return true;
  }
  box.addEventListener("click", event => {
    const link = event.target.closest(".l > a");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const n = Number(link.textContent);
    const range = event.shiftKey && view.from ? [Math.min(view.from, n), Math.max(view.from, n)] : [n, n];
    [view.from, view.to] = range;
    history.replaceState(null, "", range[0] === range[1] ? "#L" + n : `#L${range[0]}-L${range[1]}`);
    view.soon();
  });
  window.addEventListener("hashchange", toAnchor);

  // Buttons.
  const press = (id, on) => button(id).setAttribute("aria-pressed", String(on));
  button("follow").addEventListener("click", () => { if (view.follow && !complete) view.setFollow(false); else view.toEnd(); });
  box.addEventListener("log:follow", () => press("follow", view.follow && !complete));
  button("wrap").addEventListener("click", () => { view.wrap = box.classList.toggle("wrap"); press("wrap", view.wrap); view.soon(); });
  button("times").addEventListener("click", () => { view.times = lines.times = !view.times; press("times", view.times); if (view.times) lines.forget(); view.soon(); });
  button("folds").addEventListener("click", () => {
    const on = button("folds").getAttribute("aria-pressed") !== "true", line = folds.lineOf(Math.floor(view.top / 20));
    chosen = true;
    folds.all(on);
    press("folds", on);
    view.go(folds.rowOf(line) * 20);
  });
  box.addEventListener("keydown", event => {
    const ways = { Home: -Infinity, End: Infinity }, way = ways[event.key];
    if (way === undefined) return;
    event.preventDefault();
    if (way > 0) view.toEnd(); else { view.setFollow(false); view.go(0); }
  });

  // The outline.
  const outline = document.getElementById("log-outline");
  function outlined(o) {
    folds.outline(o.sections, o.total);
    if (!chosen && box.dataset.failed === "true") folds.all(true, s => s.status === "SUCCEEDED"); // what went well is in the way
    outline.hidden = !o.sections.length;
    const known = outline.children;
    o.sections.forEach((s, i) => {
      const link = known[i] || outline.appendChild(document.createElement("a"));
      const kind = { SUCCEEDED: "ok", FAILED: "no", FAULT: "no", TIMED_OUT: "no", IN_PROGRESS: "run" }[s.status] || "st";
      if (link.is === s.status && link.dataset.line === String(s.first)) return;
      link.is = s.status;
      link.className = s.kind; link.href = "#L" + s.first; link.dataset.line = s.first;
      const dot = document.createElement("span"), name = document.createElement("span"), took = document.createElement("i");
      dot.className = "dot " + kind; dot.setAttribute("role", "img"); dot.setAttribute("aria-label", s.status.toLowerCase().replace("_", " "));
      name.textContent = name.title = s.text || s.phase;
      took.textContent = s.status === "IN_PROGRESS" ? "" : s.seconds.toFixed(1) + " s";
      if (s.status === "IN_PROGRESS" && s.started) took.dataset.since = s.started;
      link.replaceChildren(dot, name, took);
    });
    while (known.length > o.sections.length) known[known.length - 1].remove();
    view.soon();
  }
  outline.addEventListener("click", event => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    view.toLine(Number(link.dataset.line), 0);
    box.focus({ preventScroll: true });
  });
  box.addEventListener("log:shown", event => {
    const here = folds.sectionAt(event.detail.first);
    for (const link of outline.children) link.classList.toggle("now", Boolean(here) && link.dataset.line === String(here.first));
  });

  // What comes.
  function grown() {
    if (lines.total && !box.dataset.ready) { view.begin(); box.dataset.ready = "true"; } // until then the page says what it waits for
    document.getElementById("log-total").textContent = lines.total.toLocaleString();
    view.soon();
  }
  async function ended() {
    complete = true;
    press("follow", false);
    button("follow").textContent = "End";
    const [o, answer] = await Promise.all([lines.ask("outline", {}), fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" })]);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html"), head = page.getElementById("log-head");
    if (head) document.getElementById("log-head").replaceChildren(...head.childNodes);
    box.dataset.failed = page.getElementById("log") ? page.getElementById("log").dataset.failed : "false";
    chosen = true; // nothing folds under the reader's eyes
    if (o) outlined(o);
    document.title = page.title;
    grown();
  }
  function listen(offset) {
    const source = new EventSource(`${api}/events?${query}&offset=${offset}`);
    source.addEventListener("lines", event => { lines.take(JSON.parse(event.data), Date.now()); grown(); });
    source.addEventListener("outline", event => outlined(JSON.parse(event.data)));
    source.addEventListener("end", () => { source.close(); ended(); });
    window.addEventListener("pagehide", () => source.close());
  }

  async function begin() {
    const [tail, o] = await Promise.all([lines.ask("lines", { from: -200, count: 200, times: false }), lines.ask("outline", {})]);
    if (!tail) return;
    lines.total = tail.total;
    if (o) outlined(o);
    const broken = complete && o && o.sections.findLast(s => s.kind === "command" && s.status === "FAILED");
    const anchored = location.hash && toAnchor();
    if (!anchored && !broken) { view.top = view.bottom(); view.setFollow(true); }
    const first = tail.first, chunk = Math.floor((first - 1) / 1000) * 1000 + 1;
    if (first === chunk) lines.take(tail);
    if (lines.total) { view.begin(); box.dataset.ready = "true"; }
    if (anchored) toAnchor(); else if (broken) view.toLine(broken.first + Math.max(0, broken.lines - 1), .6); else view.toEnd();
    new runnerLog.Search(document.getElementById("log-search"), lines, view);
    if (!complete) listen(tail.next);
    grown();
  }
  begin();
})();
