// The page of a build while it runs: bars grow between events, and the end of the log is asked for anew each second, or as pace.js
// says. Neither moves anything else. A log is never streamed here: what a job prints in a second may be more than anybody reads, and its last lines are few.
(() => {
  "use strict";
  const every = 1000;
  let asking = false, skew = null, next = 0;

  // grow moves the ends of what goes on to now, by the daemon's clock as the page was drawn.
  function grow() {
    const lanes = document.querySelector("[data-axis]");
    if (!lanes) return;
    const from = new Date(lanes.dataset.axis).getTime(), span = Number(lanes.dataset.span) * 1000;
    for (const bar of lanes.querySelectorAll("[data-grows]")) {
      const x = parseFloat(bar.getAttribute("x")), first = parseFloat(bar.dataset.first || bar.getAttribute("width"));
      bar.dataset.first = first;
      if (skew === null) skew = Date.now() - (from + (x + first) / 100 * span);
      const now = Math.min(100, (Date.now() - skew - from) / span * 100);
      bar.setAttribute("width", Math.max(first, now - x).toFixed(2) + "%");
    }
  }

  async function tail() {
    const node = document.querySelector("[data-tail]");
    if (!node || asking || Date.now() < next) return;
    asking = true;
    try {
      const answer = await fetch(node.dataset.tail, { cache: "no-store" });
      next = Date.now() + pace(answer) - every / 2;
      if (answer.ok && !answer.redirected) {
        Idiomorph.morph(node, await answer.text(), { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks: {
          beforeAttributeUpdated: (name, at) => !(name === "open" && at.tagName === "DETAILS"),
          beforeNodeMorphed: (old, fresh) => !old.isEqualNode(fresh),
        } });
      }
    } catch (failure) { // the daemon is away; the next second may be better
    } finally { asking = false; }
  }

  setInterval(() => { if (!document.hidden) { grow(); tail(); } }, every);
  document.addEventListener("runner:fresh", () => { skew = null; grow(); });
})();
