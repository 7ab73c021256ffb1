/**
 * The load generator: N keep-alive connections over raw sockets, each sending its next request when it has the answer.
 *
 * Takes one job a line (JSON) on stdin and prints one result a line, so that one warm process serves the whole run.
 * One answer that is not what the job expects fails the job: errors are never counted as speed.
 */
import { createInterface } from "node:readline";
import { Client } from "./client.ts";
import type { Expected } from "./client.ts";

/** One measurement. It lasts `milliseconds`, or `requests` where that is set. */
interface Job {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly key: string;
  /** Empty for a request without one. */
  readonly body: string;
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

function message(job: Job): Buffer {
  const body = Buffer.from(job.body);
  const head = [
    `${job.method} ${job.path} HTTP/1.1`,
    `host: ${HOST}:${job.port}`,
    `authorization: Bearer ${job.key}`,
    ...(body.length > 0 ? ["content-type: application/json", `content-length: ${body.length}`] : []),
  ].join("\r\n");
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]);
}

async function connection(job: Job, request: Buffer, samples: Samples, more: () => boolean): Promise<void> {
  const client = new Client(HOST, job.port, job.expected);
  try {
    while (more()) {
      const { ttfb, total } = await client.exchange(request);
      samples.ttfb.push(ttfb);
      samples.total.push(total);
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
  const request = message(job);
  const samples: Samples = { ttfb: [], total: [] };
  const started = performance.now();
  let sent = 0;
  const more = () => (job.requests === null ? performance.now() - started < job.milliseconds : sent++ < job.requests);
  const connections = Array.from({ length: job.connections }, () => connection(job, request, samples, more));
  await Promise.all(connections);
  const seconds = (performance.now() - started) / 1000;
  const requests = samples.total.length;
  return { requests, seconds, rate: requests / seconds, ttfb: spread(samples.ttfb), total: spread(samples.total) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await run(JSON.parse(line) as Job).catch((error: unknown) => ({ error: String(error) }));
  console.log(JSON.stringify(result));
}
