// The text of a log's lines: colours become classes, and whatever else a terminal would act on is left out. It does what ansi.go
// does for the page that is sent; the text of a log is never made HTML.
window.runnerLog = {};
(() => {
  "use strict";
  const sequence = /\x1b\[([\d;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f\x80-\x9f]/g;
  const flags = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 9: "s" }, ends = { 22: "bd", 23: "i", 24: "u", 27: "r", 29: "s" };

  function nearest(r, g, b) {
    const strong = Math.max(r, g, b), weak = Math.min(r, g, b);
    if (strong - weak < 32) return strong < 64 ? 1 : strong < 150 ? 9 : strong < 220 ? 8 : 16;
    const half = (strong + weak) >> 1;
    return 1 + (r > half ? 1 : 0) + (g > half ? 2 : 0) + (b > half ? 4 : 0) + (strong > 200 ? 8 : 0);
  }

  // palette is the nearest of sixteen colours, and how many codes said so.
  function palette(codes) {
    if (codes.length >= 2 && codes[0] === 5) {
      let n = codes[1];
      if (n < 16) return [n + 1, 2];
      if (n < 232) { n -= 16; const level = i => [0, 95, 135, 175, 215, 255][i]; return [nearest(level(Math.floor(n / 36) % 6), level(Math.floor(n / 6) % 6), level(n % 6)), 2]; }
      const grey = 8 + 10 * (Math.min(n, 255) - 232);
      return [nearest(grey, grey, grey), 2];
    }
    if (codes.length >= 4 && codes[0] === 2) return [nearest(codes[1], codes[2], codes[3]), 4];
    return [0, codes.length];
  }

  function apply(style, params) {
    let codes = params.split(/[;:]/).filter(Boolean).map(Number);
    if (!codes.length) codes = [0];
    while (codes.length) {
      const c = codes[0];
      let used = 1;
      if (c === 0) { style.on = ""; style.fore = style.back = 0; }
      else if (flags[c]) { if (!style.on.includes(flags[c])) style.on += flags[c]; }
      else if (ends[c]) { for (const flag of ends[c]) style.on = style.on.replace(flag, ""); }
      else if (c >= 30 && c <= 37) style.fore = c - 29;
      else if (c >= 40 && c <= 47) style.back = c - 39;
      else if (c >= 90 && c <= 97) style.fore = c - 81;
      else if (c >= 100 && c <= 107) style.back = c - 91;
      else if (c === 39) style.fore = 0;
      else if (c === 49) style.back = 0;
      else if (c === 38 || c === 48) {
        const [colour, more] = palette(codes.slice(1));
        if (c === 38) style.fore = colour; else style.back = colour;
        used += more;
      }
      codes = codes.slice(used);
    }
  }

  function classOf(style) {
    const out = [...style.on].map(flag => "a-" + flag), plain = !style.on.includes("r");
    if (style.fore && plain) out.push("f" + (style.fore - 1));
    if (style.back && plain) out.push("g" + (style.back - 1));
    return out.join(" ");
  }

  const own = /^\[Container\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} /;

  // show puts the text of a line into an element.
  runnerLog.show = (node, line) => {
    line = line.replace(/\r+$/, "");
    line = line.slice(line.lastIndexOf("\r") + 1);
    const mark = own.exec(line);
    node.replaceChildren();
    if (mark) {
      const span = document.createElement("span");
      span.className = "own";
      span.textContent = mark[0];
      node.append(span);
      line = line.slice(mark[0].length);
    }
    if (!/[\x00-\x08\x0a-\x1f\x7f-\x9f]/.test(line)) { node.append(line); return; }
    const style = { on: "", fore: 0, back: 0 };
    const put = text => {
      if (!text) return;
      const name = classOf(style);
      if (!name) { node.append(text); return; }
      const span = document.createElement("span");
      span.className = name;
      span.textContent = text;
      node.append(span);
    };
    let from = 0;
    for (const m of line.matchAll(sequence)) {
      put(line.slice(from, m.index));
      from = m.index + m[0].length;
      if (m[1] !== undefined) apply(style, m[1]);
    }
    put(line.slice(from));
  };
})();
