import type { ChatRequest } from "./chat_request.ts";
import type { Reply, ToolCall } from "./reply.ts";
import { encodedText } from "./text.ts";
import { usage } from "./usage.ts";

/** The last event of a stream. */
export const DONE = "data: [DONE]\n\n";

/** A comment that keeps a connection alive. */
export const PING = ": ping\n\n";

/**
 * Writes the events of one stream. The parts that do not change are encoded once, for JSON.stringify of every chunk
 * would be most of a stream's cost.
 */
export class Events {
  readonly #head: string;
  readonly #tail: string;
  readonly #serial: number;
  readonly #call: ToolCall | null;
  readonly #parts: readonly string[] | null;

  constructor(request: ChatRequest, reply: Reply, serial: number, created: number) {
    this.#serial = serial;
    this.#call = reply.call;
    this.#parts = reply.parts;
    this.#head =
      `data: {"id":"chatcmpl-sim${serial}","object":"chat.completion.chunk","created":${created},` +
      `"model":${JSON.stringify(request.model)},"service_tier":"default","system_fingerprint":"fp_sim","choices":[`;
    // OpenAI names usage in every chunk once it was asked for.
    this.#tail = request.includeUsage ? `],"usage":null}\n\n` : `]}\n\n`;
  }

  /** The first event of a choice. */
  opening(index: number): string {
    if (this.#call === null) return this.#event(index, `{"role":"assistant","content":"","refusal":null}`, null);
    const call =
      `{"index":0,"id":"call_sim${this.#serial}_${index}","type":"function",` +
      `"function":{"name":${JSON.stringify(this.#call.name)},"arguments":""}}`;
    return this.#event(index, `{"role":"assistant","content":null,"tool_calls":[${call}],"refusal":null}`, null);
  }

  /** Content chunk `n` of a choice. */
  content(index: number, n: number): string {
    if (this.#call === null) {
      const said = this.#parts === null ? encodedText(n) : JSON.stringify(this.#parts[n]);
      return this.#event(index, `{"content":${said}}`, null);
    }
    const fragment = JSON.stringify(this.#call.fragments[n]);
    return this.#event(index, `{"tool_calls":[{"index":0,"function":{"arguments":${fragment}}}]}`, null);
  }

  /** The last event of a choice. */
  finish(index: number, reason: Reply["finish"]): string {
    return this.#event(index, "{}", reason);
  }

  /** The event with the usage, after all choices. */
  usage(prompt: number, completion: number): string {
    return `${this.#head}],"usage":${usage(prompt, completion)}}\n\n`;
  }

  #event(index: number, delta: string, reason: string | null): string {
    const finish = reason === null ? "null" : `"${reason}"`;
    return `${this.#head}{"index":${index},"delta":${delta},"logprobs":null,"finish_reason":${finish}}${this.#tail}`;
  }
}
