import { escapeHtml, safeUrl } from './escape.js';

const ESCAPABLE = /[\\`*_[\]()#+\-.!~<>|]/;
const MAX_DEPTH = 20;

/**
 * Renders the inside of a block: emphasis, code, links, line breaks. One pass from left to right; what does not
 * close is text.
 */
export function renderInline(text, depth = 0) {
  if (depth > MAX_DEPTH) return escapeHtml(text);
  let html = '';
  let at = 0;
  while (at < text.length) {
    const piece = escaped(text, at) ?? code(text, at) ?? link(text, at, depth) ?? emphasis(text, at, depth) ?? autolink(text, at) ?? lineBreak(text, at);
    if (piece) {
      html += piece.html;
      at = piece.end;
    } else {
      html += escapeHtml(text[at]);
      at += 1;
    }
  }
  return html;
}

function escaped(text, at) {
  if (text[at] !== '\\' || !ESCAPABLE.test(text[at + 1] ?? '')) return null;
  return { html: escapeHtml(text[at + 1]), end: at + 2 };
}

function code(text, at) {
  if (text[at] !== '`') return null;
  const fence = /^`+/.exec(text.slice(at))[0];
  let end = at + fence.length;
  for (;;) {
    end = text.indexOf(fence, end);
    if (end < 0) return { html: fence, end: at + fence.length };
    const run = /^`+/.exec(text.slice(end))[0];
    if (run.length === fence.length) break;
    end += run.length;
  }
  const inside = text.slice(at + fence.length, end).replace(/\n/g, ' ');
  const trimmed = /^ .*[^ ].* $|^ [^ ] $/.test(inside) ? inside.slice(1, -1) : inside;
  return { html: `<code>${escapeHtml(trimmed)}</code>`, end: end + fence.length };
}

function link(text, at, depth) {
  const image = text[at] === '!' && text[at + 1] === '[';
  if (!image && text[at] !== '[') return null;
  const open = image ? at + 1 : at;
  const close = matching(text, open, '[', ']');
  if (close < 0 || text[close + 1] !== '(') return null;
  const end = matching(text, close + 1, '(', ')');
  if (end < 0) return null;
  const label = text.slice(open + 1, close);
  const [, target, title] = /^\s*(\S*?)(?:\s+"([^"]*)")?\s*$/.exec(text.slice(close + 2, end)) ?? [];
  const url = target === undefined ? null : safeUrl(target);
  if (url === null) return { html: image ? escapeHtml(label) : renderInline(label, depth + 1), end: end + 1 };
  const titled = title ? ` title="${escapeHtml(title)}"` : '';
  const html = image
    ? `<img src="${escapeHtml(url)}" alt="${escapeHtml(label)}"${titled}>`
    : `<a href="${escapeHtml(url)}"${titled}>${renderInline(label, depth + 1)}</a>`;
  return { html, end: end + 1 };
}

/** The place of the bracket that closes the one at `at`, or -1. */
function matching(text, at, open, close) {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === open) depth += 1;
    else if (text[i] === close && --depth === 0) return i;
  }
  return -1;
}

const MARKS = [
  ['***', '<strong><em>', '</em></strong>'],
  ['**', '<strong>', '</strong>'],
  ['__', '<strong>', '</strong>'],
  ['~~', '<del>', '</del>'],
  ['*', '<em>', '</em>'],
  ['_', '<em>', '</em>'],
];

function emphasis(text, at, depth) {
  for (const [mark, before, after] of MARKS) {
    if (!text.startsWith(mark, at) || /\s/.test(text[at + mark.length] ?? ' ')) continue;
    if (mark[0] === '_' && /\w/.test(text[at - 1] ?? '')) continue;
    const end = closing(text, at + mark.length, mark);
    if (end < 0) continue;
    return { html: before + renderInline(text.slice(at + mark.length, end), depth + 1) + after, end: end + mark.length };
  }
  return null;
}

/** Where the mark closes: after something that is no blank, not within code, and not as part of a longer run. */
function closing(text, from, mark) {
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '`') i = code(text, i).end - 1;
    else if (text.startsWith(mark, i) && i > from && !/\s/.test(text[i - 1])) {
      const longer = text[i + mark.length] === mark[0] && mark.length === 1;
      const inWord = mark[0] === '_' && /\w/.test(text[i + mark.length] ?? '');
      if (!longer && !inWord) return i;
      if (longer) i += 1;
    }
  }
  return -1;
}

function autolink(text, at) {
  if (!/^https?:\/\//.test(text.slice(at, at + 8)) || /\w/.test(text[at - 1] ?? '')) return null;
  const url = /^[^\s<>"]*[^\s<>".,;:!?)'*_\]]/.exec(text.slice(at))[0];
  return { html: `<a href="${escapeHtml(url)}">${escapeHtml(url)}</a>`, end: at + url.length };
}

function lineBreak(text, at) {
  const match = /^(?: {2,}|\\)\n/.exec(text.slice(at, at + 12));
  return match ? { html: '<br>\n', end: at + match[0].length } : null;
}
