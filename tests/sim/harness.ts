import { request } from "node:http";
import type { ClientRequest, IncomingHttpHeaders } from "node:http";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Sim } from "../../tools/sim/server.ts";
import type { SimOptions } from "../../tools/sim/server.ts";

/** A JSON value at a path, or undefined. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const key of path) found = found === null || found === undefined ? undefined : Reflect.get(Object(found), key);
  return found;
}

/** An answer that has come to its end, one way or another. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as the pieces in which it was read. */
  readonly pieces: readonly Buffer[];
  /** False when the connection broke before the end. */
  readonly whole: boolean;
  readonly json: unknown;
}

/** An answer under way. */
export interface Call {
  readonly answer: Promise<Answer>;
  /** What has come until now. */
  text(): string;
  leave(): void;
}

/** A user message and whatever else the request says. */
export function prompt(model: string, more: object = {}): object {
  return { model, messages: [{ role: "user", content: "Say hello." }], ...more };
}

/** Speaks to one simulator with a connection of its own for each request. */
export class Client {
  readonly sim: Sim;
  readonly url: string;

  constructor(sim: Sim, url: string) {
    this.sim = sim;
    this.url = url;
  }

  call(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Call {
    const pieces: Buffer[] = [];
    const all = { authorization: "Bearer k", "content-type": "application/json", ...headers };
    const sent: ClientRequest = request(`${this.url}${path}`, { method, headers: all, agent: false });
    const answer = new Promise<Answer>((resolve, reject) => {
      sent.on("error", reject).on("response", (response) => {
        response.on("data", (piece: Buffer) => pieces.push(piece)).on("error", () => {});
        response.on("close", () =>
          resolve(ended(response.statusCode ?? 0, response.headers, pieces, response.complete)),
        );
      });
    });
    // A test that leaves has no use for the answer.
    answer.catch(() => {});
    const raw = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    sent.end(body === undefined ? undefined : raw);
    return { answer, text: () => Buffer.concat(pieces).toString(), leave: () => sent.destroy() };
  }

  async get(path: string): Promise<Answer> {
    return this.call("GET", path).answer;
  }

  async post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.call("POST", path, body, headers).answer;
  }

  async chat(model: string, more: object = {}): Promise<Answer> {
    return this.post("/v1/chat/completions", prompt(model, more));
  }

  /** Begins a stream, or a whole answer with `{ stream: false }`. */
  begin(model: string, more: object = {}): Call {
    return this.call("POST", "/v1/chat/completions", prompt(model, { stream: true, ...more }));
  }

  async stats(): Promise<unknown> {
    return (await this.get("/__stats")).json;
  }
}

function ended(status: number, headers: IncomingHttpHeaders, pieces: readonly Buffer[], whole: boolean): Answer {
  const body = Buffer.concat(pieces);
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch {
    json = undefined;
  }
  return { status, headers, body, pieces, whole, json };
}

/** A simulator of this test's own, which ends with it. */
export async function start(t: TestContext, options: SimOptions = {}): Promise<Client> {
  const sim = new Sim(options);
  const url = await sim.listen();
  t.after(async () => sim.close());
  return new Client(sim, url);
}

/** Waits until something is true, and fails when it does not become so. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it never came true: ${holds.toString()}`);
    await sleep(5);
  }
}
