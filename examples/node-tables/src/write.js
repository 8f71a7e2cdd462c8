const quote = (field, separator) => /["\r\n]/.test(field) || field.includes(separator) ? `"${field.replaceAll('"', '""')}"` : field;

// csv writes rows as CSV, with quotes where they are needed.
export function csv(rows, { separator = ',' } = {}) {
  return rows.map((row) => row.map((field) => quote(String(field), separator)).join(separator) + '\n').join('');
}

// markdown writes rows as a table, the first of them as its head.
export function markdown([head, ...rows]) {
  const line = (row) => `| ${row.map((field) => String(field).replaceAll('|', '\\|').replaceAll('\n', '<br>')).join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}

// columns writes rows below each other, aligned.
export function columns(rows) {
  const widths = [];
  for (const row of rows) row.forEach((field, i) => { widths[i] = Math.max(widths[i] ?? 0, [...String(field)].length); });
  return rows.map((row) => row.map((field, i) => String(field) + ' '.repeat(widths[i] - [...String(field)].length)).join('  ').trimEnd() + '\n').join('');
}
