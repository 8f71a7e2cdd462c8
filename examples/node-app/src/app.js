import { createServer } from 'node:http';
import { diffLines, summary } from './diff.js';
import { TooLarge, readJson } from './http/body.js';
import { Limiter } from './http/limiter.js';
import { Router } from './http/router.js';
import { outline, render } from './markdown/render.js';
import { Conflict, Invalid, NotFound } from './store.js';
import { html, page, raw } from './template.js';

const STATUS = new Map([
  [NotFound, 404],
  [Conflict, 409],
  [Invalid, 400],
  [TooLarge, 413],
]);

/** The HTTP server over a store. */
export function createApp(store, { limiter = new Limiter() } = {}) {
  const router = routes(store);
  return createServer(async (request, response) => {
    response.setHeader('Content-Security-Policy', "default-src 'none'; img-src http: https:; style-src 'unsafe-inline'");
    response.setHeader('X-Content-Type-Options', 'nosniff');
    try {
      await answer(router, limiter, request, response);
    } catch (error) {
      const status = STATUS.get(error.constructor) ?? 500;
      if (status === 500) console.error(error);
      send(response, status, { error: status === 500 ? 'something went wrong' : error.message });
    }
  });
}

async function answer(router, limiter, request, response) {
  const wait = limiter.take(request.socket.remoteAddress);
  if (wait > 0) {
    response.setHeader('Retry-After', String(Math.ceil(wait / 1000)));
    return send(response, 429, { error: 'slow down' });
  }
  const url = new URL(request.url, 'http://localhost');
  const route = router.find(request.method, url.pathname);
  if (!route) return send(response, 404, { error: `nothing is at ${url.pathname}` });
  if (route.allowed) {
    response.setHeader('Allow', route.allowed.join(', '));
    return send(response, 405, { error: `${request.method} is not for ${url.pathname}` });
  }
  const { status = 200, body } = await route.handler({ request, params: route.params, query: url.searchParams });
  return send(response, status, body);
}

function send(response, status, body) {
  const text = typeof body === 'string';
  response.writeHead(status, { 'Content-Type': text ? 'text/html; charset=utf-8' : 'application/json' });
  response.end(body === undefined ? '' : text ? body : JSON.stringify(body));
}

function routes(store) {
  return new Router()
    .add('GET', '/', () => ({ body: page('notes', html`<ul>${store.list().map(({ name }) => html`<li><a href="/${encodeURIComponent(name)}">${name}</a></li>`)}</ul>`) }))
    .add('GET', '/:name', ({ params }) => ({ body: notePage(store.get(params.name)) }))
    .add('GET', '/:name/diff', ({ params, query }) => ({ body: diffPage(store, params.name, query.get('from'), query.get('to')) }))
    .add('GET', '/api/notes', () => ({ body: store.list() }))
    .add('GET', '/api/search', ({ query }) => ({ body: store.search(query.get('q') ?? '') }))
    .add('GET', '/api/notes/:name', ({ params, query }) => ({ body: store.get(params.name, query.get('revision') ?? undefined) }))
    .add('GET', '/api/notes/:name/history', ({ params }) => ({ body: store.history(params.name) }))
    .add('PUT', '/api/notes/:name', async ({ request, params }) => {
      const { text, base = null } = await readJson(request);
      return { status: base === null ? 201 : 200, body: await store.write(params.name, text, base) };
    })
    .add('DELETE', '/api/notes/:name', async ({ params, query }) => {
      await store.remove(params.name, query.get('base'));
      return { status: 204 };
    });
}

function notePage({ name, text }) {
  const contents = outline(text).filter(({ level }) => level > 1);
  return page(
    name,
    html`<h1>${name}</h1>
${contents.length > 2 && html`<ol>${contents.map(({ text: title, anchor }) => html`<li><a href="#${anchor}">${title}</a></li>`)}</ol>`}
${raw(render(text))}`,
  );
}

const TAGS = { added: 'ins', removed: 'del', same: 'span' };

function diffPage(store, name, from, to) {
  const edits = diffLines(store.get(name, from ?? undefined).text, store.get(name, to ?? undefined).text);
  const { added, removed } = summary(edits);
  const lines = edits.map(({ kind, text }) => html`<${raw(TAGS[kind])}>${text}</${raw(TAGS[kind])}>
`);
  return page(`${name}: changes`, html`<h1>${name}</h1><p>${added} added, ${removed} removed</p><pre>${lines}</pre>`);
}
