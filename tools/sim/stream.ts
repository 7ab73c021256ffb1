import type { ChatRequest } from "./chat_request.ts";
import { LATE } from "./errors.ts";
import { DONE, Events, PING } from "./events.ts";
import type { Exchange } from "./exchange.ts";
import type { Reply } from "./reply.ts";
import { Writer } from "./writer.ts";

/** One chat completion sent as events. */
export class ChatStream {
  readonly #exchange: Exchange;
  readonly #request: ChatRequest;
  readonly #reply: Reply;
  readonly #events: Events;
  readonly #writer: Writer;
  #sent = 0;
  #due = performance.now();

  constructor(exchange: Exchange, request: ChatRequest, reply: Reply) {
    this.#exchange = exchange;
    this.#request = request;
    this.#reply = reply;
    this.#events = new Events(request, reply, exchange.serial, Math.floor(Date.now() / 1000));
    this.#writer = new Writer(exchange, request.spec);
  }

  /** Sends everything, and returns when the answer is over, whichever way. */
  async run(): Promise<void> {
    this.#exchange.head(200, ["content-type", "text/event-stream; charset=utf-8", "cache-control", "no-cache"]);
    if (!(await this.#open()) || !(await this.#contents())) return;
    const { n, spec, includeUsage, promptTokens } = this.#request;
    const { finish } = this.#reply;
    if (spec.failure !== null) return this.#fail(this.#events.finish(0, finish));
    for (let i = 0; i < n; i++) if (!(await this.#put(this.#events.finish(i, finish)))) return;
    if (includeUsage && !(await this.#put(this.#events.usage(promptTokens, this.#sent)))) return;
    this.#writer.push(DONE, 0);
    await this.#writer.end();
  }

  async #open(): Promise<boolean> {
    for (let i = 0; i < this.#request.n; i++) {
      if (!(await this.#ping()) || !(await this.#put(this.#events.opening(i)))) return false;
    }
    return true;
  }

  /** Sends the content of all choices, in turn. False when the client left or the failure came. */
  async #contents(): Promise<boolean> {
    for (let k = 0; k < this.#reply.chunks; k++) {
      for (let i = 0; i < this.#request.n; i++) {
        const failing = this.#sent === this.#request.spec.failure?.after;
        if (this.#sent > 0 && !failing && !(await this.#ping())) return false;
        if (k > 0 && i === 0 && !(await this.#pace())) return false;
        const event = this.#events.content(i, k);
        if (failing) {
          await this.#fail(event);
          return false;
        }
        if (!(await this.#put(event, 1))) return false;
        this.#sent += 1;
      }
    }
    return true;
  }

  /** Waits for the gap, by the clock, so that late timers do not add up; a reader that was slow gets no burst. */
  async #pace(): Promise<boolean> {
    const { gap } = this.#request.spec;
    if (gap === 0) return true;
    this.#due = Math.max(this.#due + gap, performance.now());
    return (await this.#writer.flush()) && this.#exchange.wait(this.#due - performance.now());
  }

  /** Fails in the model's way; `next` is the event that would have come. */
  async #fail(next: string): Promise<void> {
    switch (this.#request.spec.failure?.kind) {
      case "cut":
        return this.#writer.cut(next);
      case "stall":
        if (await this.#writer.flush()) await this.#exchange.stall();
        return;
      default:
        this.#exchange.outcome = "errors";
        this.#writer.push(`data: ${LATE.body}\n\n`, 0);
        return this.#writer.end();
    }
  }

  async #ping(): Promise<boolean> {
    return !this.#request.spec.ping || this.#put(PING);
  }

  async #put(event: string, tokens: 0 | 1 = 0): Promise<boolean> {
    return !this.#writer.push(event, tokens) || this.#writer.flush();
  }
}
