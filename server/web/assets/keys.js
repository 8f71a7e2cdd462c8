// Keys. Whatever has data-key is focused, clicked or followed by that key, or by two in a row ("g q"); the dialog of ? is made
// from them, so it is always true. Rows (data-row) are walked with j and k and opened with Enter. Single keys can be switched
// off, as WCAG 2.1.4 asks.
(() => {
  "use strict";
  const stored = "runner.keys", wait = 1200;
  const dialog = document.getElementById("keys"), box = document.getElementById("keys-on");
  let first = "", until = 0;

  const on = () => { try { return localStorage.getItem(stored) !== "off"; } catch { return true; } };
  const nameOf = node => node.dataset.keyName || node.getAttribute("aria-label") || node.placeholder || node.textContent.trim();

  function rows() { return [...document.querySelectorAll("[data-row]")].filter(row => row.offsetParent !== null); }

  function walk(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex(row => row.classList.contains("at"));
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    all.forEach(row => row.classList.toggle("at", row === next));
    next.scrollIntoView({ block: "nearest" });
    const link = next.querySelector("a, button, summary");
    if (link) link.focus({ preventScroll: true });
  }

  function help() {
    const list = dialog.querySelector("dl");
    list.replaceChildren();
    const add = (keys, name) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      keys.split(" ").forEach((key, i) => { if (i) dt.append(" "); const kbd = document.createElement("kbd"); kbd.textContent = key; dt.append(kbd); });
      dd.textContent = name;
      list.append(dt, dd);
    };
    add("?", "these keys");
    add("g h", "home");
    if (rows().length) add("j k", "next and previous row; Enter opens it");
    for (const node of document.querySelectorAll("[data-key]")) add(node.dataset.key, nameOf(node));
    box.checked = on();
    dialog.showModal();
  }

  function act(key) {
    if (key === "?") return help(), true;
    if (key === "j" || key === "k") return walk(key === "j" ? 1 : -1), true;
    if (key === "g h") return location.assign(document.querySelector(".crumbs a").href), true;
    const node = [...document.querySelectorAll("[data-key]")].find(n => n.dataset.key === key && n.offsetParent !== null && !n.disabled);
    if (!node) return false;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(node.tagName) && node.type !== "checkbox") node.focus(); else node.click();
    return true;
  }

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open || !on()) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) { if (event.key === "Escape") event.target.blur(); return; }
    const both = Date.now() < until ? first + " " + event.key : event.key;
    first = event.key; until = Date.now() + wait;
    if (act(both)) { event.preventDefault(); until = 0; }
  });
  document.getElementById("keys-button").addEventListener("click", help);
  box.addEventListener("change", () => { try { localStorage.setItem(stored, box.checked ? "on" : "off"); } catch { /* kept for this page alone */ } });
})();
