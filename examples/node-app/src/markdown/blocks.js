/**
 * Text to blocks. A block is { type, ... }:
 * heading { level, text }, paragraph { text }, code { language, text }, quote { blocks }, list { ordered, start, items },
 * rule, table { head, align, rows }.
 */

const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*).*$/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})[.)])(?:[ \t]+(.*))?$/;
const MAX_DEPTH = 16;

export function parseBlocks(text, depth = 0) {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at].trim() === '') {
      at += 1;
      continue;
    }
    const taken =
      heading(lines, at) ?? fenced(lines, at) ?? rule(lines, at) ?? quote(lines, at, depth) ?? list(lines, at, depth) ?? table(lines, at) ?? paragraph(lines, at);
    blocks.push(taken.block);
    at = taken.end;
  }
  return blocks;
}

function heading(lines, at) {
  const match = HEADING.exec(lines[at]);
  return match ? { block: { type: 'heading', level: match[1].length, text: match[2] ?? '' }, end: at + 1 } : null;
}

function fenced(lines, at) {
  const match = FENCE.exec(lines[at]);
  if (!match) return null;
  const [, fence, language] = match;
  let end = at + 1;
  while (end < lines.length && !isClosing(lines[end], fence)) end += 1;
  return { block: { type: 'code', language, text: lines.slice(at + 1, end).join('\n') }, end: Math.min(end + 1, lines.length) };
}

function isClosing(line, fence) {
  const bare = line.trim();
  return bare.length >= fence.length && [...bare].every((c) => c === fence[0]);
}

function rule(lines, at) {
  return RULE.test(lines[at]) ? { block: { type: 'rule' }, end: at + 1 } : null;
}

function quote(lines, at, depth) {
  if (depth >= MAX_DEPTH || !/^ {0,3}>/.test(lines[at])) return null;
  let end = at;
  while (end < lines.length && (/^ {0,3}>/.test(lines[end]) || (end > at && lazy(lines[end])))) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(/^ {0,3}> ?/, ''));
  return { block: { type: 'quote', blocks: parseBlocks(inner.join('\n'), depth + 1) }, end };
}

/** Whether a line without its mark may still go on with the paragraph before it. */
function lazy(line) {
  return line.trim() !== '' && !begins(line);
}

function begins(line) {
  return HEADING.test(line) || FENCE.test(line) || RULE.test(line) || ITEM.test(line) || /^ {0,3}>/.test(line);
}

function list(lines, at, depth) {
  const first = ITEM.exec(lines[at]);
  if (depth >= MAX_DEPTH || !first) return null;
  const ordered = first[3] !== undefined;
  const items = [];
  let end = at;
  let loose = false;
  while (end < lines.length) {
    const match = ITEM.exec(lines[end]);
    if (!match || (match[3] !== undefined) !== ordered || RULE.test(lines[end])) break;
    const indent = match[1].length + match[2].length + 1;
    const body = [match[4] ?? ''];
    end += 1;
    while (end < lines.length && belongs(lines, end, indent)) {
      body.push(lines[end].slice(Math.min(indent, lines[end].search(/\S|$/))));
      end += 1;
    }
    if (body.slice(0, -1).some((line) => line.trim() === '') && body.at(-1).trim() !== '') loose = true;
    items.push(body.join('\n').trimEnd());
    while (end < lines.length && lines[end].trim() === '' && ITEM.test(lines[end + 1] ?? '')) {
      loose = true;
      end += 1;
    }
  }
  return { block: { type: 'list', ordered, start: ordered ? Number(first[3]) : 1, loose, items: items.map((item) => listItem(item, depth)) }, end };
}

/** Whether a line is part of the item whose text is indented so far. */
function belongs(lines, at, indent) {
  const line = lines[at];
  if (line.trim() === '') return /^\s/.test(lines[at + 1] ?? '') && (lines[at + 1] ?? '').search(/\S|$/) >= indent;
  return line.search(/\S/) >= indent || (lines[at - 1].trim() !== '' && lazy(line));
}

function listItem(text, depth) {
  const task = /^\[([ xX])\][ \t]+/.exec(text);
  const blocks = parseBlocks(task ? text.slice(task[0].length) : text, depth + 1);
  return task ? { blocks, done: task[1] !== ' ' } : { blocks };
}

function cells(line) {
  const bare = line.trim().replace(/^\||(?<!\\)\|$/g, '');
  return bare.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function table(lines, at) {
  if (!lines[at].includes('|') || !/^[\s|:-]*-[\s|:-]*$/.test(lines[at + 1] ?? '') || !lines[at + 1].includes('|')) return null;
  const head = cells(lines[at]);
  const align = cells(lines[at + 1]).map((cell) => (cell.startsWith(':') ? (cell.endsWith(':') ? 'center' : 'left') : cell.endsWith(':') ? 'right' : ''));
  if (align.length !== head.length) return null;
  const rows = [];
  let end = at + 2;
  while (end < lines.length && lines[end].includes('|')) {
    const row = cells(lines[end]);
    rows.push(head.map((_, i) => row[i] ?? ''));
    end += 1;
  }
  return { block: { type: 'table', head, align, rows }, end };
}

function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lazy(lines[end])) end += 1;
  const text = lines.slice(at, end).map((line) => line.replace(/^\s+/, ''));
  return { block: { type: 'paragraph', text: text.join('\n').trimEnd() }, end };
}
