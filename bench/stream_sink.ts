/**
 * The clients of the benchmark of many streams: opens them one after another, reads all, and tells how late events came.
 *
 * Takes one job a line (JSON) on stdin and prints one result a line. What it does for each piece is little, since it
 * shares the machine: it finds the stamps (stream_source.ts) and compares them with the clock.
 */
import net from "node:net";
import { createInterface } from "node:readline";

interface Job {
  readonly port: number;
  readonly key: string;
  readonly path: string;
  readonly body: string;
  readonly streams: number;
  /** How long to wait between the opening of two, in milliseconds. */
  readonly apart: number;
  readonly events: number;
}

const HOST = "127.0.0.1";
const MARK = '"content":"0'; // a stamp begins with a zero, and the opening event has no text
const STAMP_DIGITS = 15;
const END = "data: [DONE]";
/** A stamp, its mark or the end mark may be cut in two. */
const LONGEST = MARK.length + STAMP_DIGITS + 2;
/** When all are open, what opening them has kept waiting may first come to an end. */
const SETTLE_US = 500_000;

/** What a reader tells: how late an event came, that its answer has begun, and that it is over. */
interface Events {
  readonly late: (sent: number, late: number) => void;
  readonly begun: () => void;
  readonly closed: (reader: Reader) => void;
}

function now(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** One stream, as its client sees it. */
class Reader {
  status = 0;
  events = 0;
  whole = false;
  readonly #socket: net.Socket;
  readonly #late: (sent: number, late: number) => void;
  /** What of a piece is not read yet: framing, and what may be half a mark. */
  #framing = "";
  #text = "";
  /** Bytes to come of the chunk under way, with the line end behind it. */
  #left = 0;

  constructor(job: Job, request: string, events: Events) {
    this.#late = events.late;
    this.#socket = net.connect({ host: HOST, port: job.port, noDelay: true }, () => this.#socket.write(request));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => events.closed(this));
    this.#socket.on("data", (data) => {
      const piece = data.toString("latin1");
      if (this.status === 0) this.#head(piece, events);
      else this.#take(piece);
    });
  }

  #head(piece: string, events: Events): void {
    this.#framing += piece;
    const end = this.#framing.indexOf("\r\n\r\n");
    if (end === -1) return;
    this.status = Number(this.#framing.slice(9, 12));
    events.begun();
    const rest = this.#framing.slice(end + 4);
    this.#framing = "";
    if (this.status === 200) this.#take(rest);
    else this.#socket.destroy();
  }

  #take(piece: string): void {
    const text = this.#text + this.#unframed(piece);
    const clock = now();
    let read = 0;
    for (let at = text.indexOf(MARK); at !== -1; at = text.indexOf(MARK, read)) {
      const from = at + MARK.length;
      if (text.length < from + STAMP_DIGITS) break;
      const sent = Number(text.slice(from, from + STAMP_DIGITS));
      this.events += 1;
      this.#late(sent, clock - sent);
      read = from + STAMP_DIGITS;
    }
    this.whole = text.includes(END, read);
    if (this.whole) this.#socket.destroy();
    this.#text = text.slice(Math.max(read, text.length - LONGEST));
  }

  /** The body's bytes of a piece: what is cut into chunks may be cut within an event. */
  #unframed(piece: string): string {
    const text = this.#framing + piece;
    this.#framing = "";
    let body = "";
    let at = 0;
    while (at < text.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, text.length - at);
        body += text.slice(at, at + Math.min(taken, this.#left - 2));
        this.#left -= taken;
        at += taken;
        continue;
      }
      const end = text.indexOf("\r\n", at);
      if (end === -1) {
        this.#framing = text.slice(at);
        break;
      }
      this.#left = Number.parseInt(text.slice(at, end), 16) + 2;
      at = end + 2;
    }
    return body;
  }
}

function percentile(sorted: Float64Array, share: number): number | null {
  const found = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return found === undefined ? null : found / 1000;
}

async function run(job: Job): Promise<object> {
  const request = [
    `POST ${job.path} HTTP/1.1`,
    `host: ${HOST}:${job.port}`,
    `authorization: Bearer ${job.key}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(job.body)}`,
    "",
    job.body,
  ].join("\r\n");
  const late: number[] = [];
  const began = process.cpuUsage();
  let waiting = job.streams;
  let left = job.streams;
  // Events are compared that were sent while all were open.
  let open = Infinity;
  let closing = Infinity;
  const readers: Reader[] = [];
  await new Promise<void>((resolve) => {
    const begun = () => {
      if (--waiting === 0) open = now() + SETTLE_US;
    };
    const events: Events = {
      late: (sent, by) => void (sent > open && sent < closing && late.push(by)),
      begun,
      closed: (reader) => {
        if (reader.status === 0) begun();
        if (reader.whole) closing = Math.min(closing, now());
        if (--left === 0) resolve();
      },
    };
    void (async () => {
      const started = performance.now();
      for (let number = 0; number < job.streams; number += 1) {
        readers.push(new Reader(job, request, events));
        const wait = started + (number + 1) * job.apart - performance.now();
        if (wait > 0) await new Promise((done) => setTimeout(done, wait));
      }
    })();
  });
  const used = process.cpuUsage(began);
  const sorted = Float64Array.from(late).sort();
  const taken = readers.filter((reader) => reader.status === 200);
  return {
    refused: readers.filter((reader) => reader.status === 503).length,
    failed: readers.filter((reader) => reader.status !== 503 && reader.status !== 200).length,
    lost: taken.filter((reader) => !reader.whole || reader.events !== job.events).length,
    measured: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    most: percentile(sorted, 1),
    cpu_seconds: (used.user + used.system) / 1e6,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line) as Job)));
}
