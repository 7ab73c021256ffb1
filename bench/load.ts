/**
 * The load generator: N keep-alive connections over raw sockets, each sending its next request when it has the answer.
 *
 * Takes one job a line (JSON) on stdin and prints one result a line, so that one warm process serves the whole run.
 * One answer that is not what the job expects fails the job: errors are never counted as speed.
 */
import { createInterface } from "node:readline";
import type { Answer } from "./answer.ts";
import { Client } from "./client.ts";
import type { Expected } from "./client.ts";

/** One measurement. It lasts `milliseconds`, or `requests` where that is set. */
interface Job {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  /** Empty for a request without one. */
  readonly key: string;
  /** Further ones. */
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for a request without one. */
  readonly body: string;
  /** In place of `body`, where there are any: they are dealt out to the connections, and each sends its own in turn. */
  readonly bodies: readonly string[];
  /** A text of the answer's `data` that the connection's next body has, in place of the one that was used up. */
  readonly carried: string | null;
  readonly connections: number;
  readonly milliseconds: number;
  readonly requests: number | null;
  /** How long each connection rests after an answer. */
  readonly pause: number;
  readonly expected: Expected;
}

interface Samples {
  readonly ttfb: number[];
  readonly total: number[];
}

const HOST = "127.0.0.1";

function message(job: Job, text: string): Buffer {
  const body = Buffer.from(text);
  const head = [
    `${job.method} ${job.path} HTTP/1.1`,
    `host: ${HOST}:${job.port}`,
    ...(job.key === "" ? [] : [`authorization: Bearer ${job.key}`]),
    ...Object.entries(job.headers).map(([name, value]) => `${name}: ${value}`),
    ...(body.length > 0 ? ["content-type: application/json", `content-length: ${body.length}`] : []),
  ].join("\r\n");
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]);
}

/** Returns the body again, with a text that the answer has brought. */
function carry(name: string, body: string, answer: Answer): string {
  const { data } = answer.json() as { data: Record<string, unknown> };
  return JSON.stringify({ ...(JSON.parse(body) as object), [name]: data[name] });
}

async function connection(job: Job, number: number, samples: Samples, more: () => boolean): Promise<void> {
  const client = new Client(HOST, job.port, job.expected);
  const bodies = job.bodies.length > 0 ? job.bodies.filter((_, at) => at % job.connections === number) : [job.body];
  const requests = bodies.map((body) => message(job, body));
  try {
    for (let turn = 0; more(); turn = (turn + 1) % bodies.length) {
      const { ttfb, total, answer } = await client.exchange(requests[turn]!);
      samples.ttfb.push(ttfb);
      samples.total.push(total);
      if (job.carried !== null) {
        bodies[turn] = carry(job.carried, bodies[turn]!, answer);
        requests[turn] = message(job, bodies[turn]!);
      }
      if (job.pause > 0) await new Promise((resolve) => setTimeout(resolve, job.pause));
    }
  } finally {
    client.close();
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

function spread(values: number[]): { p50: number; p99: number } {
  const sorted = values.sort((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

async function run(job: Job): Promise<object> {
  const samples: Samples = { ttfb: [], total: [] };
  const started = performance.now();
  let sent = 0;
  const more = () => (job.requests === null ? performance.now() - started < job.milliseconds : sent++ < job.requests);
  const connections = Array.from({ length: job.connections }, (_, number) => connection(job, number, samples, more));
  await Promise.all(connections);
  const seconds = (performance.now() - started) / 1000;
  const requests = samples.total.length;
  return { requests, seconds, rate: requests / seconds, ttfb: spread(samples.ttfb), total: spread(samples.total) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await run(JSON.parse(line) as Job).catch((error: unknown) => ({ error: String(error) }));
  console.log(JSON.stringify(result));
}
