/**
 * The provider of the benchmark of many streams: each event tells when it was sent, by the machine's own clock.
 *
 * A model's name says how many events, how many milliseconds lie between two, how long the text of each is, and how long
 * the stream stays open behind them: `sim/clock-events300-gap30-text16-hold0`; with a gap of 0 they are sent as fast as
 * they are taken. One timer serves all streams, and the sockets are written to directly:
 * on two cores the provider may not be what is measured. `GET /sent` tells of all streams so far how many bytes went to
 * the kernel.
 */
import net from "node:net";

interface Stream {
  readonly socket: net.Socket;
  readonly usage: boolean;
  readonly pad: string;
  readonly hold: number;
  left: number;
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const SHAPE = `{"id":"chatcmpl-clock","object":"chat.completion.chunk","created":1764547200,"model":"clock"`;
const OPENING = event(`${SHAPE},"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`);
const FINISH = event(`${SHAPE},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`);
const DONE = event("[DONE]");
const STAMP_DIGITS = 16;
/** So many go in one piece where there is no gap. */
const BURST = 64;

const slots: Set<Stream>[][] = [];
let sockets: net.Socket[] = [];
let opened = 0;

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function event(data: string): string {
  return chunk(`data: ${data}\n\n`);
}

/** Events with the time of their sending: microseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
function stamped(pad: string, count = 1): string {
  const stamp = String(process.hrtime.bigint() / 1000n).padStart(STAMP_DIGITS, "0");
  const delta = `{"index":0,"delta":{"content":"${stamp}${pad}"},"finish_reason":null}`;
  return chunk(`data: ${SHAPE},"choices":[${delta}]}\n\n`.repeat(count));
}

function end({ socket, usage }: Stream): void {
  const told = `${SHAPE},"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}`;
  socket.write(`${FINISH}${usage ? event(told) : ""}${DONE}0\r\n\r\n`);
}

/** Sends one event to each stream whose turn it is. */
function tick(slot: Set<Stream>): void {
  for (const stream of slot) {
    if (stream.socket.destroyed) slot.delete(stream);
    else if (stream.left-- > 0) stream.socket.write(stamped(stream.pad));
    else {
      slot.delete(stream);
      setTimeout(end, stream.hold, stream);
    }
  }
}

/** Sends all that the socket takes, and goes on when it takes more. */
function pour(stream: Stream): void {
  const { socket } = stream;
  while (stream.left > 0) {
    const count = Math.min(BURST, stream.left);
    stream.left -= count;
    if (!socket.write(stamped(stream.pad, count))) {
      socket.once("drain", () => pour(stream));
      return;
    }
  }
  end(stream);
}

function begin(socket: net.Socket, body: string): void {
  const { model, stream_options: options } = JSON.parse(body) as {
    model: string;
    stream_options?: { include_usage?: boolean };
  };
  const words = /events(\d+)-gap(\d+)-text(\d+)-hold(\d+)/.exec(model)?.slice(1).map(Number);
  const [events = 10, gap = 0, text = STAMP_DIGITS, hold = 0] = words ?? [];
  const pad = "x".repeat(text - STAMP_DIGITS);
  const stream = { socket, usage: options?.include_usage === true, pad, hold, left: events };
  socket.write(HEAD + OPENING);
  if (gap === 0) return pour(stream);
  // Streams that begin one after another take their turns one after another: the provider has no bursts of its own.
  const turns = (slots[gap] ??= Array.from({ length: gap }, () => new Set<Stream>()));
  turns[opened++ % turns.length]!.add(stream);
}

/** Counts what the kernel took: what waits in Node was not sent. */
function sent(): number {
  return sockets.reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0);
}

const server = net.createServer({ noDelay: true }, (socket) => {
  sockets.push(socket);
  let text = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    text += data.toString("latin1");
    for (;;) {
      const head = text.indexOf("\r\n\r\n");
      if (head === -1) return;
      const length = Number(/content-length: *(\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
      if (text.length < head + 4 + length) return;
      const start = text.slice(0, 9);
      const body = text.slice(head + 4, head + 4 + length);
      text = text.slice(head + 4 + length);
      if (start === "GET /sent") {
        sockets = sockets.filter((one) => one !== socket);
        const answer = JSON.stringify({ sent: sent() });
        socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${answer.length}\r\nconnection: close\r\n\r\n${answer}`);
      } else begin(socket, body);
    }
  });
});

let last = Math.floor(performance.now());
setInterval(() => {
  const now = Math.floor(performance.now());
  for (; last < now; last += 1) for (const turns of slots) if (turns !== undefined) tick(turns[last % turns.length]!);
}, 1);

process.stdin.on("close", () => process.exit(0)).resume();
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  console.log(`source ready on http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
});
