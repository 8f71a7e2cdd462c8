import { parseBlocks } from './blocks.js';
import { escapeHtml, slug } from './escape.js';
import { renderInline } from './inline.js';

/** Markdown to HTML that is safe to show, whoever wrote the text. */
export function render(text) {
  const anchors = new Map();
  return blocksToHtml(parseBlocks(text), anchors);
}

/** The headings of a text, for a table of contents: { level, text, anchor }. */
export function outline(text) {
  const anchors = new Map();
  return parseBlocks(text)
    .filter((block) => block.type === 'heading')
    .map(({ level, text: title }) => ({ level, text: title, anchor: anchor(title, anchors) }));
}

/** An anchor that no other heading of the page has. */
function anchor(title, anchors) {
  const base = slug(title) || 'section';
  let name = base;
  for (let n = 2; anchors.has(name); n += 1) name = `${base}-${n}`;
  anchors.set(name, true);
  return name;
}

function blocksToHtml(blocks, anchors) {
  return blocks.map((block) => RENDERERS[block.type](block, anchors)).join('\n');
}

const RENDERERS = {
  heading: ({ level, text }, anchors) => `<h${level} id="${escapeHtml(anchor(text, anchors))}">${renderInline(text)}</h${level}>`,
  paragraph: ({ text }) => `<p>${renderInline(text)}</p>`,
  code: ({ language, text }) => `<pre><code${language ? ` class="language-${escapeHtml(language)}"` : ''}>${escapeHtml(text)}\n</code></pre>`,
  quote: ({ blocks }, anchors) => `<blockquote>\n${blocksToHtml(blocks, anchors)}\n</blockquote>`,
  rule: () => '<hr>',
  list: renderList,
  table: renderTable,
};

function renderList({ ordered, start, loose, items }, anchors) {
  const tag = ordered ? 'ol' : 'ul';
  const from = ordered && start !== 1 ? ` start="${start}"` : '';
  const body = items.map(({ blocks, done }) => {
    const box = done === undefined ? '' : `<input type="checkbox" disabled${done ? ' checked' : ''}> `;
    const tight = !loose && blocks[0]?.type === 'paragraph';
    const first = tight ? renderInline(blocks[0].text) : '';
    const rest = blocksToHtml(tight ? blocks.slice(1) : blocks, anchors);
    return `<li>${box}${first}${first && rest ? '\n' : ''}${rest}</li>`;
  });
  return `<${tag}${from}>\n${body.join('\n')}\n</${tag}>`;
}

function renderTable({ head, align, rows }) {
  const row = (cells, tag) =>
    `<tr>${cells.map((cell, i) => `<${tag}${align[i] ? ` style="text-align:${align[i]}"` : ''}>${renderInline(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>\n<thead>\n${row(head, 'th')}\n</thead>\n<tbody>\n${rows.map((cells) => row(cells, 'td')).join('\n')}\n</tbody>\n</table>`;
}
