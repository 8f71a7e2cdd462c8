import { escapeHtml } from './markdown/escape.js';

const RAW = Symbol('raw');

/** Marks HTML that is safe as it is. */
export function raw(html) {
  return { [RAW]: html };
}

/** A tagged template: values are escaped, arrays joined, null and false left out, raw() kept. */
export function html(strings, ...values) {
  return raw(strings.reduce((text, string, i) => text + show(values[i - 1]) + string));
}

function show(value) {
  if (value === null || value === undefined || value === false) return '';
  if (Array.isArray(value)) return value.map(show).join('');
  if (typeof value === 'object' && RAW in value) return value[RAW];
  return escapeHtml(String(value));
}

export function toText(value) {
  return value[RAW];
}

const STYLE = 'body{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}pre{overflow:auto}ins{background:#dfd}del{background:#fdd}';

export function page(title, body) {
  return toText(html`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${title}</title><style>${raw(STYLE)}</style>
<body><nav><a href="/">notes</a></nav>
${body}
</body></html>
`);
}
