// by compares records by a name: numbers as numbers, all else as text.
export const by = (name) => (a, b) => {
  const [x, y] = [Number(a[name]), Number(b[name])];
  return Number.isNaN(x) || Number.isNaN(y) ? String(a[name]).localeCompare(String(b[name])) : x - y;
};

// where keeps the records that have these values.
export const where = (wanted) => (record) => Object.entries(wanted).every(([name, value]) => record[name] === value);

// join brings to each record of the left one of the right that has the same value of name. What has none keeps its own.
export function join(left, right, name) {
  const known = new Map(right.map((record) => [record[name], record]));
  return left.map((record) => ({ ...known.get(record[name]), ...record }));
}
