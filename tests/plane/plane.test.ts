import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BROKE_OFF, DONE, GONE, LET_GO, LOOK, NEVER_ASKED, OVER, Passing, post, SMALL_READ_BYTES,
  TIMEOUT,
} from "../../src/lib/runtime/plane.mjs";

const [KEPT, MOST] = [4 * 1024, 16 * 1024];
const EVENT = new TextEncoder().encode(`data: {"choices":[{"delta":{"content":"word"}}]}\n\n`);
const calls: RequestInit[] = [];
let provider: () => Response | Promise<Response>;

// workerd's own: a write settles when the other side has taken it.
Object.assign(globalThis, {
  IdentityTransformStream: class extends TransformStream {
    constructor() {
      super({}, { highWaterMark: 0 }, { highWaterMark: 0 });
    }
  },
  scheduler: { wait: () => Promise.resolve() },
  fetch: (_url: string, options: RequestInit) => {
    calls.push(options);
    return provider();
  },
});

/** A provider that sends each piece when it is asked for more, and then ends as told; `pulled` is how many it sent. */
function sending(pieces: Uint8Array[], how: "ends" | "breaks" | "stalls" = "ends") {
  const state = { pulled: 0 };
  const pull = (to: ReadableByteStreamController) => {
    const piece = pieces[state.pulled];
    if (piece) {
      state.pulled += 1;
      to.enqueue(piece.slice());
    } else if (how === "breaks") to.error(new Error("reset"));
    else if (how === "ends") {
      to.close();
      to.byobRequest?.respond(0);
    }
  };
  provider = () => new Response(new ReadableStream({ type: "bytes", pull }), { headers: { "X-One": "1" } });
  return state;
}

type Told = [what: number, bytes: string, number: number];

async function start({ guard = "", ms = 60_000, most = MOST, look = (bytes: Uint8Array) => bytes } = {}) {
  const client = new AbortController();
  const call = await post("http://p/", '{"a":"b"}', new Uint8Array(), client.signal, ms);
  assert.ok("relay" in call);
  const told: Told[] = [];
  const stream = call.relay("", guard, KEPT, most, (what, bytes, number) => {
    told.push([what, Buffer.from(bytes ?? []).toString(), number]);
    return what === LOOK && bytes ? look(bytes) : null;
  });
  return { client, call, told, stream, reader: stream.getReader() };
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const pieces = [];
  for (let next; !(next = await reader.read()).done;) pieces.push(next.value.slice());
  return Buffer.concat(pieces).toString();
}

test("a call is asked for, and its head told in one text", async () => {
  sending([EVENT]);
  const { call } = await start();
  assert.deepEqual(JSON.parse(call.head), [200, { "x-one": "1" }]);
  const { method, headers, redirect, signal } = calls.at(-1) ?? {};
  assert.deepEqual([method, headers, redirect], ["POST", { a: "b" }, "manual"]);
  assert.equal(signal?.aborted, false);
});

test("a stream goes on as it comes; its last bytes are said at its end", async () => {
  sending([EVENT, EVENT.subarray(0, 9)]);
  const { call, reader, told } = await start();
  const whole = read(reader);
  assert.equal(await call.finished, DONE);
  assert.deepEqual([call.passing?.sent, call.passing?.text.length], [EVENT.length + 9, EVENT.length + 9]);
  await call.close(new TextEncoder().encode("last"));
  assert.equal(await whole, `${Buffer.from(EVENT)}data: {"clast`);
  assert.deepEqual(told, []);
});

test("an event is there before the next one is", async () => {
  sending([EVENT], "stalls");
  const { reader } = await start();
  assert.equal((await reader.read()).value?.length, EVENT.length);
});

test("a client that does not read stops its provider", async () => {
  const state = sending(Array(1_000).fill(new Uint8Array(16 * 1024)));
  const { reader, call } = await start();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(state.pulled <= 4, `${state.pulled} pieces of 16 KiB`);
  void call;
});

const ENDS: [name: string, how: "breaks" | "stalls", ms: number, end: number][] = [
  ["breaks off", "breaks", 60_000, BROKE_OFF],
  ["takes too long", "stalls", 20, TIMEOUT],
  ["is left", "stalls", 60_000, GONE],
];
for (const [name, how, ms, end] of ENDS)
  test(`a stream that ${name} says so, and its provider is stopped`, async () => {
    sending([EVENT], how);
    const { call, client, reader, told } = await start({ ms });
    await reader.read();
    if (end === GONE) {
      client.abort();
      assert.deepEqual(told, [[OVER, "", GONE]], "in the event itself: nothing awaited is sure to come");
    }
    assert.equal(await call.finished, end);
    assert.deepEqual(told, end === BROKE_OFF ? [] : [[OVER, "", end]], "once");
    assert.equal(calls.at(-1)?.signal?.aborted, true);
    assert.equal(call.passing?.text.length, EVENT.length, "what had come is there");
  });

test("nothing is asked for a client that has left, and no failure is thrown", async () => {
  const before = calls.length;
  const never = await post("http://p/", "{}", new Uint8Array(), AbortSignal.abort(), 1_000);
  assert.deepEqual(never, { head: "", why: NEVER_ASKED });
  assert.equal(calls.length, before);
  provider = () => Promise.reject(new Error("refused"));
  const call = await post("http://p/", "{}", new Uint8Array(), new AbortController().signal, 1_000);
  assert.deepEqual([call.head, call.why], ["", BROKE_OFF]);
});

test("Python looks at what the guard finds, and at what follows while it holds bytes back", async () => {
  sending(["a", "se", "c", "b"].map((text) => new TextEncoder().encode(text)));
  const { call, reader, told } = await start({
    guard: "s(?:$|e)",
    look: (bytes) => {
      call.held = Buffer.from(bytes).toString() === "se";
      return call.held ? new Uint8Array() : new TextEncoder().encode("[sec]");
    },
  });
  const whole = read(reader);
  assert.equal(await call.finished, DONE);
  await call.close(null);
  assert.equal(await whole, "a[sec]b");
  assert.deepEqual(told, [[LOOK, "se", 0], [LOOK, "c", 0]]);
});

test("a client that does not take the last bytes is not waited for", async () => {
  sending([]);
  const { call } = await start();
  await call.finished;
  await call.close(EVENT);
});

test("of a long stream no more is held than said, and all the rest is told", () => {
  const gone: Told[] = [];
  const passing = new Passing("", KEPT, MOST, (what, bytes, number) => {
    gone.push([what, Buffer.from(bytes ?? []).toString(), number]);
    return null;
  });
  for (let count = 0; count < 20_000; count++) {
    assert.equal(passing.feed(EVENT), EVENT);
    assert.ok(passing.text.buffer.byteLength <= MOST + SMALL_READ_BYTES);
  }
  assert.ok(gone.every(([what, , most]) => what === LET_GO && most === MOST));
  assert.equal(gone.map(([, events]) => events).join("").length + passing.text.length, 20_000 * EVENT.length);
});

test("what a burst takes is given back when it is over", () => {
  const passing = new Passing("", KEPT, MOST, () => null);
  const burst = Buffer.concat(Array(16 * 1024 / 64).fill(EVENT)).subarray(0, 16 * 1024);
  const buffers = new Set<ArrayBufferLike>();
  for (let count = 0; count < 1_000; count++) {
    passing.feed(burst);
    buffers.add(passing.text.buffer);
    assert.ok(passing.text.buffer.byteLength <= MOST + burst.length);
  }
  assert.ok(buffers.size < 5, "while it lasts, it is not made anew each time");
  for (let count = 0; count < 1_000; count++) passing.feed(EVENT);
  assert.ok(passing.text.buffer.byteLength <= MOST + SMALL_READ_BYTES);
});

test("an event of a MiB in pieces of 200 bytes is not searched from its begin each time", () => {
  const marks = { begun: '"finish"', member: '"usage"', among: '"choices"' };
  const passing = new Passing(JSON.stringify(marks), KEPT, MOST, () => new Uint8Array());
  const piece = new Uint8Array(200).fill(120);
  const began = performance.now();
  assert.ok(passing.feed(new TextEncoder().encode('data: "finish"\n\ndata: "usage"')));
  for (let count = 0; count < 5_000; count++) assert.equal(passing.feed(piece).length, 0);
  assert.equal(passing.feed(new TextEncoder().encode("\n\n")).length, 0);
  assert.ok(performance.now() - began < 2_000);
});
