import { Invalid } from '../store.js';

const MAX_BODY = 2 << 20;
const MAX_DRAINED = 16 << 20;

export class TooLarge extends Error {}

/** Reads a JSON body, bounded in size. Throws Invalid or TooLarge. */
export async function readJson(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= MAX_BODY) chunks.push(chunk);
    // Reading on lets the client hear the answer instead of a broken connection, up to a point.
    else if (size > MAX_DRAINED) break;
  }
  if (size > MAX_BODY) throw new TooLarge(`a body has at most ${MAX_BODY} bytes`);
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (error) {
    throw new Invalid(`the body is no JSON: ${error.message}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Invalid('the body is a JSON object');
  return value;
}
