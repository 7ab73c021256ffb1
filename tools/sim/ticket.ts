import type { IncomingHttpHeaders } from "node:http";
import type { Stats } from "./stats.ts";
import type { Counts, Tally } from "./tally.ts";

/** Where a client was in its answer when it left. */
export type Phase = "before_first_byte" | "mid_stream" | "non_streaming";

/** How an answer ended. */
export type Outcome = "completed" | "errors" | "cut";

/** What the simulator saw of one request. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  body: unknown;
}

/** An answer that its client did not wait for. */
export interface Cancellation {
  readonly model: string | null;
  readonly at_ms: number;
  readonly tokens_served: number;
  readonly phase: Phase;
}

/** The account of one request. */
export class Ticket {
  streaming = false;
  readonly #stats: Stats;
  readonly #seen: Seen;
  readonly #entered: Tally[];
  // The counts of the moment it began: after a reset these are nobody's, so leftovers of one test never reach the next.
  readonly #counts: Counts[];
  #model: string | null = null;
  #served = 0;

  constructor(stats: Stats, seen: Seen) {
    this.#stats = stats;
    this.#seen = seen;
    this.#entered = [stats.total];
    this.#counts = [stats.total.enter()];
  }

  /** Keeps the parsed body for `last_request`. */
  body(body: unknown): void {
    this.#seen.body = body;
  }

  /** From here on the request counts for this model too. */
  model(name: string): void {
    this.#model = name;
    const tally = this.#stats.model(name);
    this.#entered.push(tally);
    this.#counts.push(tally.enter());
  }

  /** The prompt was read. */
  read(tokens: number): void {
    this.#add("prompt_tokens", tokens);
  }

  /** Tokens were written to the socket. */
  served(tokens: number): void {
    this.#served += tokens;
    this.#add("completion_tokens", tokens);
  }

  /** The answer ended as it was meant to. */
  end(outcome: Outcome): void {
    this.#add(outcome, 1);
    this.#leave();
  }

  /** The client left before the end. */
  cancel(begun: boolean): void {
    this.#add("cancelled", 1);
    if (!begun) this.#add("cancelled_before_first_byte", 1);
    const phase = !this.streaming ? "non_streaming" : begun ? "mid_stream" : "before_first_byte";
    if (this.#stats.total.owns(this.#counts[0])) {
      this.#stats.cancelled({ model: this.#model, at_ms: Date.now(), tokens_served: this.#served, phase });
    }
    this.#leave();
  }

  #add(key: keyof Counts, amount: number): void {
    for (const counts of this.#counts) counts[key] += amount;
  }

  #leave(): void {
    for (const tally of this.#entered) tally.leave();
  }
}
