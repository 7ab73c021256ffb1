/** One HTTP/1.1 connection that sends a request at a time and checks each answer. */
import net from "node:net";
import { Answer } from "./answer.ts";

/** What every answer must be. `events` is the number of SSE events, the end mark included; null where it is no stream. */
export interface Expected {
  readonly status: number;
  readonly events: number | null;
  /** So many events more or less are taken too. */
  readonly slack: number;
  /** When to leave with a reset, and connect anew. */
  readonly leave: "at_first_byte" | "while_waiting" | null;
}

/** How long a client waits that leaves while waiting. */
const PATIENCE_MS = 20;

/** Milliseconds from sending the request to the body's first byte, and to its last. */
export interface Times {
  readonly ttfb: number;
  readonly total: number;
}

/** One answer, and how long it took. */
export interface Exchanged extends Times {
  readonly answer: Answer;
}

/** A connection that is made again when its peer closes it between two requests, or when we left. */
export class Client {
  readonly #host: string;
  readonly #port: number;
  readonly #expected: Expected;
  #socket: net.Socket | undefined;
  #take: (chunk: Buffer) => void = () => {};
  #fail: (error: Error) => void = () => {};

  constructor(host: string, port: number, expected: Expected) {
    this.#host = host;
    this.#port = port;
    this.#expected = expected;
  }

  /** Sends the request and returns the answer with its times. Rejects when the answer is not the expected one. */
  async exchange(request: Buffer): Promise<Exchanged> {
    const socket = this.#socket ?? (await this.#connect());
    const { leave } = this.#expected;
    return new Promise((resolve, reject) => {
      const answer = new Answer();
      const started = performance.now();
      let first = 0;
      const finish = () => {
        const total = performance.now() - started;
        resolve({ ttfb: first > 0 ? first - started : total, total, answer });
      };
      this.#fail = reject;
      this.#take = (chunk) => {
        try {
          const done = answer.feed(chunk);
          if (first === 0 && answer.bytes > 0) first = performance.now();
          const left = leave === "at_first_byte" && first > 0;
          if (!done && !left) return;
          answer.check(this.#expected);
          if (left) this.#leave(socket);
          finish();
        } catch (error) {
          reject(error);
        }
      };
      socket.write(request);
      if (leave === "while_waiting") setTimeout(() => { this.#leave(socket); finish(); }, PATIENCE_MS);
    });
  }

  /** Ends the connection. */
  close(): void {
    this.#socket?.destroy();
  }

  #leave(socket: net.Socket): void {
    this.#socket = undefined;
    socket.resetAndDestroy();
  }

  async #connect(): Promise<net.Socket> {
    const socket = net.connect({ host: this.#host, port: this.#port, noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#fail(new Error("the connection was closed"));
    });
    this.#socket = socket;
    return socket;
  }
}
