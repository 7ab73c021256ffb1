import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Tally } from "./tally.ts";
import { Ticket } from "./ticket.ts";
import type { Cancellation, Seen } from "./ticket.ts";

const MOST_MODELS = 1000;
const MOST_RECENT = 20;
const SECRET: ReadonlySet<string> = new Set(["authorization", "x-api-key", "api-key", "cookie"]);

/** Everything that was counted since the start or the last reset. */
export class Stats {
  readonly total = new Tally();
  readonly #models = new Map<string, Tally>();
  #unauthorized = 0;
  #last: Seen | null = null;
  #recent: Cancellation[] = [];

  /** Opens the account of one request. */
  begin(seen: Seen): Ticket {
    this.#last = seen;
    return new Ticket(this, seen);
  }

  /** The tally of a model. Past the bound all further names share one, so that made-up names cannot fill the memory. */
  model(name: string): Tally {
    const key = this.#models.has(name) || this.#models.size < MOST_MODELS - 1 ? name : "(other)";
    let tally = this.#models.get(key);
    if (tally === undefined) this.#models.set(key, (tally = new Tally()));
    return tally;
  }

  /** A request came without the right key. */
  unauthorized(): void {
    this.#unauthorized += 1;
  }

  /** Keeps one of the latest cancellations. */
  cancelled(cancellation: Cancellation): void {
    this.#recent.push(cancellation);
    if (this.#recent.length > MOST_RECENT) this.#recent.shift();
  }

  /** Zeroes everything. Requests that are under way stay active, but count nowhere when they end. */
  reset(): void {
    this.total.reset();
    for (const [name, tally] of this.#models) {
      tally.reset();
      if (tally.active === 0) this.#models.delete(name);
    }
    this.#unauthorized = 0;
    this.#last = null;
    this.#recent = [];
  }

  /** The body of `GET /__stats`. */
  report(): Readonly<Record<string, unknown>> {
    return {
      ...this.total.report(),
      unauthorized: this.#unauthorized,
      by_model: Object.fromEntries([...this.#models].map(([name, tally]) => [name, tally.report()])),
      last_request: this.#last && { ...this.#last, headers: withoutSecrets(this.#last.headers) },
      recent: this.#recent,
    };
  }
}

/** Tests compare keys by their hash, so no secret is shown. */
function withoutSecrets(headers: IncomingHttpHeaders): Readonly<Record<string, unknown>> {
  const hash = (value: unknown): string => createHash("sha256").update(String(value)).digest("hex").slice(0, 16);
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, SECRET.has(name) ? hash(value) : value]),
  );
}
