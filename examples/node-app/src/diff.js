/**
 * Myers' shortest edit script over lines: [{ kind: 'same' | 'added' | 'removed', text }].
 * Linear in the size for texts that hardly differ.
 */
export function diffLines(before, after) {
  const a = before === '' ? [] : before.split('\n');
  const b = after === '' ? [] : after.split('\n');
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const same = (text) => ({ kind: 'same', text });
  return [
    ...a.slice(0, start).map(same),
    ...shortest(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...a.slice(a.length - end).map(same),
  ];
}

function shortest(a, b) {
  const trace = [];
  const furthest = new Map([[1, 0]]);
  for (let d = 0; d <= a.length + b.length; d += 1) {
    trace.push(new Map(furthest));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? furthest.get(k + 1) : furthest.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      furthest.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace);
    }
  }
  return [];
}

function walkBack(a, b, trace) {
  const edits = [];
  let x = a.length;
  let y = b.length;
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const furthest = trace[d];
    const k = x - y;
    const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = furthest.get(fromK) ?? 0;
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      edits.push({ kind: 'same', text: a[x - 1] });
      x -= 1;
      y -= 1;
    }
    if (d === 0) break;
    edits.push(down ? { kind: 'added', text: b[y - 1] } : { kind: 'removed', text: a[x - 1] });
    x = fromX;
    y = fromY;
  }
  return edits.reverse();
}

/** How many lines came and went. */
export function summary(edits) {
  const count = (kind) => edits.filter((edit) => edit.kind === kind).length;
  return { added: count('added'), removed: count('removed') };
}
