import type { IncomingMessage, ServerResponse } from "node:http";
import { headers } from "./headers.ts";
import type { Outcome, Ticket } from "./ticket.ts";

// Node fires a longer timer at once.
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * One request and its answer. Every pause ends at once, with false, when the client leaves, and leaves no timer behind.
 * An exchange pauses at one place at a time.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly ticket: Ticket;
  readonly serial: number;
  /** How it counts when everything has been sent. */
  outcome: Outcome = "completed";
  readonly #began = performance.now();
  #interrupt: (() => void) | undefined;
  #closed = false;

  constructor(request: IncomingMessage, response: ServerResponse, ticket: Ticket, serial: number) {
    this.request = request;
    this.response = response;
    this.ticket = ticket;
    this.serial = serial;
    // Node says "close" after the last byte has gone to the kernel, or when the connection ends before that.
    response.on("close", () => this.#close());
    // A connection that breaks is a client that leaves; "close" follows.
    response.on("error", () => {});
  }

  /** True once the connection or the answer is over. */
  get gone(): boolean {
    return this.#closed;
  }

  /** Writes status and headers; they leave with the first bytes of the body. */
  head(status: number, extra: readonly string[]): void {
    const elapsed = Math.round(performance.now() - this.#began);
    this.response.writeHead(status, headers(this.serial, elapsed, extra));
  }

  /** Answers with a whole body at once. */
  send(status: number, type: string, body: string, extra: readonly string[] = []): void {
    this.head(status, ["content-type", type, "content-length", String(Buffer.byteLength(body)), ...extra]);
    this.response.end(body);
  }

  /** Writes part of the body; waits when the client reads slowly, so that memory does not grow. */
  async write(data: string | Uint8Array): Promise<boolean> {
    if (this.#closed) return false;
    return (
      this.response.write(data) ||
      this.#pause((done) => {
        this.response.once("drain", done);
        return () => this.response.off("drain", done);
      })
    );
  }

  /** Waits for so many milliseconds. */
  async wait(ms: number): Promise<boolean> {
    if (ms <= 0) return !this.#closed;
    return this.#pause((done) => {
      const timer = setTimeout(done, Math.min(Math.ceil(ms), LONGEST_TIMER));
      return () => clearTimeout(timer);
    });
  }

  /** Lets the event loop go round, so that what was written leaves as a segment of its own. */
  async turn(): Promise<boolean> {
    return this.#pause((done) => {
      const immediate = setImmediate(done);
      return () => clearImmediate(immediate);
    });
  }

  /** Waits until the client leaves. */
  async stall(): Promise<boolean> {
    return this.#pause(() => () => {});
  }

  /** Writes these bytes and then drops the connection. The kernel still delivers what it has. */
  cut(data: Uint8Array): void {
    this.response.write(data, (error) => {
      if (error) return;
      this.outcome = "cut";
      this.response.destroy();
    });
  }

  async #pause(arm: (done: () => void) => () => void): Promise<boolean> {
    if (this.#closed) return false;
    return new Promise((resolve) => {
      const disarm = arm(() => {
        this.#interrupt = undefined;
        resolve(true);
      });
      this.#interrupt = () => {
        disarm();
        resolve(false);
      };
    });
  }

  #close(): void {
    this.#closed = true;
    this.#interrupt?.();
    if (this.response.writableFinished || this.outcome === "cut") this.ticket.end(this.outcome);
    else this.ticket.cancel(this.response.headersSent);
  }
}
