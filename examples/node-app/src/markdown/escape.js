/** Text for HTML. Everything that a reader typed goes through here. */

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c]);
}

const SAFE_SCHEMES = new Set(['http:', 'https:', 'mailto:']);

/** The address if it may stand in a link, otherwise null: no javascript:, no data:, however it is disguised. */
export function safeUrl(url) {
  const bare = url.replace(/[\u0000-\u0020\u007f-\u00a0]/g, '');
  if (bare === '') return null;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(bare);
  if (scheme && !SAFE_SCHEMES.has(scheme[0].toLowerCase())) return null;
  if (bare.startsWith('//')) return null;
  return bare;
}

/** A heading's anchor: "Où est-ce?" is "ou-est-ce". */
export function slug(text) {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
}
