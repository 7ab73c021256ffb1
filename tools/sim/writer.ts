import type { Exchange } from "./exchange.ts";
import type { ModelSpec } from "./model.ts";

// Half of what Node takes before it says that a reader is slow.
const BATCH = 32_768;

/**
 * Gathers what is to be sent, and sends it in the pieces that the model asks for. Counts a token as served once its
 * last byte was written.
 */
export class Writer {
  readonly #exchange: Exchange;
  readonly #split: number;
  readonly #each: boolean;
  #text = "";
  #tokens = 0;
  // With split: the place in bytes where each waiting token is complete.
  #ends: number[] = [];
  #bytes = 0;

  constructor(exchange: Exchange, spec: ModelSpec) {
    this.#exchange = exchange;
    this.#split = spec.split;
    this.#each = spec.each || spec.gap > 0;
  }

  /** Adds one event. Returns true when it is time to flush. */
  push(event: string, tokens: 0 | 1): boolean {
    this.#text += event;
    if (this.#split === 0) {
      this.#tokens += tokens;
    } else {
      this.#bytes += Buffer.byteLength(event);
      if (tokens === 1) this.#ends.push(this.#bytes);
    }
    return this.#each || this.#text.length >= BATCH;
  }

  /** Sends what waits. False when the client has left. */
  async flush(): Promise<boolean> {
    if (this.#exchange.gone) return false;
    if (this.#text === "") return true;
    const text = this.#take();
    if (this.#split > 0) return this.#pieces(Buffer.from(text));
    this.#count();
    if (!(await this.#exchange.write(text))) return false;
    return this.#each ? this.#exchange.turn() : true;
  }

  /** Sends what waits, and ends the answer. */
  async end(): Promise<void> {
    if ((this.#split > 0 || this.#each) && !(await this.flush())) return;
    if (this.#exchange.gone) return;
    this.#count();
    this.#exchange.response.end(this.#take());
  }

  /** Sends what waits and the first half of the event's bytes, then drops the connection. */
  async cut(event: string): Promise<void> {
    if (!(await this.flush())) return;
    const bytes = Buffer.from(event);
    const half = bytes.subarray(0, Math.ceil(bytes.length / 2));
    const last = this.#split > 0 ? Math.floor((half.length - 1) / this.#split) * this.#split : 0;
    if (last > 0 && !(await this.#pieces(half.subarray(0, last)))) return;
    this.#exchange.cut(half.subarray(last));
  }

  async #pieces(bytes: Uint8Array): Promise<boolean> {
    const ends = this.#ends;
    this.#ends = [];
    this.#bytes = 0;
    let served = 0;
    for (let at = 0; at < bytes.length; at += this.#split) {
      const written = this.#exchange.write(bytes.subarray(at, at + this.#split));
      for (; (ends[served] ?? Infinity) <= at + this.#split; served += 1) this.#exchange.ticket.served(1);
      if (!(await written) || !(await this.#exchange.turn())) return false;
    }
    return true;
  }

  #take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }

  #count(): void {
    this.#exchange.ticket.served(this.#tokens);
    this.#tokens = 0;
  }
}
