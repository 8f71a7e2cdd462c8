// read takes CSV (RFC 4180) apart into rows of texts.
export function read(text, { separator = ',' } = {}) {
  const rows = [];
  let row = [], field = '', quoted = false, line = 1, column = 0;
  const endField = () => { row.push(field); field = ''; };
  const endRow = () => { endField(); rows.push(row); row = []; };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    column++;
    if (c === '\n') { line++; column = 0; }
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') { field += '"'; i++; column++; }
      else quoted = false;
    } else if (c === '"') {
      if (field !== '') throw new Error(`line ${line}, column ${column}: a quote within a field that does not begin with one`);
      quoted = true;
    } else if (c === separator) endField();
    else if (c === '\n') endRow();
    else if (c !== '\r' || text[i + 1] !== '\n') field += c;
  }
  if (quoted) throw new Error(`line ${line}: the text ends within quotes`);
  if (field !== '' || row.length > 0) endRow();
  return rows;
}

// records gives each row the names that stand in the first.
export function records(text, options) {
  const [names = [], ...rows] = read(text, options);
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])));
}
