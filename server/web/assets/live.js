// A page that names events of the API (data-events on main) is fetched again after each of them, as often as pace.js lets it, and its
// main part is morphed: what the reader opened, typed or focused stays. The server's HTML is the only source of what is shown.
(() => {
  "use strict";
  let source = null, timer = 0, last = 0, pause = 1000, fetching = false, again = false;

  const keeps = {
    beforeAttributeUpdated(name, node) {
      return !(name === "open" && node.tagName === "DETAILS") && !(name === "class" && node.hasAttribute("data-own-class"));
    },
    // What is the same is passed over whole, which the browser finds out far sooner than a walk through it.
    beforeNodeMorphed(old, fresh) { return !(old instanceof Element && (old.hasAttribute("data-own") || old.isEqualNode(fresh))); },
  };

  async function refresh() {
    timer = 0;
    if (fetching) { again = true; return; }
    fetching = true; last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.redirected) { location.reload(); return; }
      pause = pace(answer);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("main"), main = document.getElementById("main");
      if (!fresh || !main) return;
      Idiomorph.morph(main, fresh, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks: keeps });
      document.title = page.title;
      const icon = page.querySelector("link[rel=icon]"), mine = document.querySelector("link[rel=icon]");
      if (icon && mine && icon.getAttribute("href") !== mine.getAttribute("href")) mine.setAttribute("href", icon.getAttribute("href"));
      document.dispatchEvent(new CustomEvent("runner:fresh"));
      listen();
    } catch (failure) { // the daemon is away: its next event comes after it is back
    } finally {
      fetching = false;
      if (again) { again = false; soon(); }
    }
  }

  function soon() {
    if (!timer) timer = setTimeout(refresh, Math.max(50, last + pause - Date.now()));
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  function listen() {
    const main = document.getElementById("main");
    const where = main && main.getAttribute("data-events");
    if (!where || document.hidden) { close(); return; }
    const path = where.split("?")[0]; // the query is the moment at which the page was made: an open stream is past it
    if (source && source.path === path && source.readyState !== EventSource.CLOSED) return;
    close();
    source = new EventSource(where);
    source.path = path;
    for (const name of ["build", "change", "reset"]) source.addEventListener(name, soon);
  }

  // A page of which parts change that are no events says how many seconds it is good for.
  function due() {
    const every = Number(document.getElementById("main").getAttribute("data-every"));
    if (every && !document.hidden && Date.now() - last > every * 1000) soon();
  }
  last = Date.now();
  setInterval(due, 1000);
  document.addEventListener("runner:refresh", refresh);

  // Browsers allow few connections to one host, so a page that nobody sees holds none.
  document.addEventListener("visibilitychange", () => { if (!document.hidden && document.getElementById("main").hasAttribute("data-events")) soon(); listen(); });
  document.documentElement.classList.add("js");
  listen();
})();
