/** Routes with parameters: add('GET', '/notes/:name/history', handler). The most literal route wins. */
export class Router {
  #root = node();

  add(method, pattern, handler) {
    let at = this.#root;
    const names = [];
    for (const part of split(pattern)) {
      if (part.startsWith(':')) {
        names.push(part.slice(1));
        at = at.parameter ??= node();
      } else {
        if (!at.literals.has(part)) at.literals.set(part, node());
        at = at.literals.get(part);
      }
    }
    if (at.methods.has(method)) throw new Error(`${method} ${pattern} is there twice`);
    at.methods.set(method, { handler, names });
    return this;
  }

  /** { handler, params }, or { allowed } when only the method is wrong, or null. */
  find(method, pathname) {
    const parts = split(pathname);
    for (const [found, values] of walk(this.#root, parts, 0, [])) {
      const route = found.methods.get(method) ?? (method === 'HEAD' ? found.methods.get('GET') : undefined);
      if (!route) return { allowed: [...found.methods.keys()] };
      let params;
      try {
        params = Object.fromEntries(route.names.map((name, i) => [name, decodeURIComponent(values[i])]));
      } catch {
        return null; // a broken % escape names nothing
      }
      return { handler: route.handler, params };
    }
    return null;
  }
}

function node() {
  return { literals: new Map(), parameter: undefined, methods: new Map() };
}

function split(pathname) {
  return pathname.split('/').filter((part) => part !== '');
}

function* walk(at, parts, i, values) {
  if (i === parts.length) {
    if (at.methods.size > 0) yield [at, values];
    return;
  }
  const literal = at.literals.get(parts[i]);
  if (literal) yield* walk(literal, parts, i + 1, values);
  if (at.parameter) yield* walk(at.parameter, parts, i + 1, [...values, parts[i]]);
}
