/** A token bucket for each client; `now` is in milliseconds and can be replaced in tests. */
export class Limiter {
  #buckets = new Map();

  constructor({ perSecond = 50, burst = 200, now = Date.now } = {}) {
    Object.assign(this, { perSecond, burst, now });
  }

  /** 0 when the request may pass, otherwise the milliseconds to wait. */
  take(client) {
    const now = this.now();
    const old = this.#buckets.get(client) ?? { tokens: this.burst, at: now };
    const tokens = Math.min(this.burst, old.tokens + ((now - old.at) / 1000) * this.perSecond);
    const pass = tokens >= 1;
    this.#buckets.set(client, { tokens: pass ? tokens - 1 : tokens, at: now });
    if (this.#buckets.size > 10_000) this.#forget(now);
    return pass ? 0 : Math.ceil(((1 - tokens) / this.perSecond) * 1000);
  }

  #forget(now) {
    for (const [client, { tokens, at }] of this.#buckets) {
      if (tokens + ((now - at) / 1000) * this.perSecond >= this.burst) this.#buckets.delete(client);
    }
  }
}
