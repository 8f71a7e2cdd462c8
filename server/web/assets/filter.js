// A form with data-live shows what it finds while somebody types: its fields become the query of the page, which is fetched again.
(() => {
  "use strict";
  let timer = 0;

  function find(form) {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.set(name, value);
    const text = query.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
    document.dispatchEvent(new CustomEvent("runner:refresh"));
  }

  document.addEventListener("input", event => {
    const form = event.target.closest("form[data-live]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(find, 200, form);
  });
  document.addEventListener("submit", event => {
    if (!event.target.matches("form[data-live]")) return;
    event.preventDefault();
    clearTimeout(timer);
    find(event.target);
  });
})();
