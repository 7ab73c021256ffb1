import assert from "node:assert/strict";
import { test } from "node:test";
import { fullText, text } from "../../tools/sim/text.ts";
import { at, start } from "./harness.ts";
import { contents, datas, events } from "./sse.ts";

const USAGE = { stream: true, stream_options: { include_usage: true } };

test("a stream is role, content, finish and [DONE], with no word about usage", async (t) => {
  const client = await start(t);
  const { status, headers, body, whole } = await client.chat("chat-chunks3", { stream: true });
  assert.equal(status, 200);
  assert.ok(whole);
  assert.equal(headers["content-type"], "text/event-stream; charset=utf-8");
  assert.equal(headers["transfer-encoding"], "chunked");
  const deltas = events(body).map((event) => at(event, "choices", 0, "delta"));
  assert.deepEqual(deltas, [
    { role: "assistant", content: "", refusal: null },
    { content: text(0) },
    { content: text(1) },
    { content: text(2) },
    {},
  ]);
  assert.deepEqual(events(body)[1], {
    id: "chatcmpl-sim1",
    object: "chat.completion.chunk",
    created: at(events(body)[0], "created"),
    model: "chat-chunks3",
    service_tier: "default",
    system_fingerprint: "fp_sim",
    choices: [{ index: 0, delta: { content: text(0) }, logprobs: null, finish_reason: null }],
  });
  assert.equal(at(events(body)[4], "choices", 0, "finish_reason"), "stop");
  assert.equal(datas(body).at(-1), "[DONE]");
});

test("with include_usage the usage comes last, and every other chunk says null", async (t) => {
  const client = await start(t);
  const { body } = await client.chat("chat-chunks3", USAGE);
  const all = events(body);
  const last = all.pop();
  assert.deepEqual(at(last, "choices"), []);
  assert.equal(at(last, "usage", "completion_tokens"), 3);
  assert.equal(at(last, "usage", "total_tokens"), 9);
  for (const event of all) assert.equal(at(event, "usage"), null);
});

test("nousage wins over include_usage", async (t) => {
  const client = await start(t);
  const { body } = await client.chat("chat-nousage", USAGE);
  assert.ok(!body.toString().includes('"usage"'));
  assert.equal(datas(body).at(-1), "[DONE]");
});

test("choices come in turn and their tokens add up", async (t) => {
  const client = await start(t);
  const { body } = await client.chat("chat-chunks4", { ...USAGE, n: 2 });
  const order = events(body).map((event) => at(event, "choices", 0, "index"));
  assert.deepEqual(order, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, undefined]);
  for (const index of [0, 1]) assert.equal(contents(body, index).join(""), fullText(4));
  assert.equal(at(events(body).at(-1), "usage", "completion_tokens"), 8);
});

test("the client's limit shortens the stream", async (t) => {
  const client = await start(t);
  const { body } = await client.chat("chat-chunks9", { ...USAGE, max_tokens: 4 });
  assert.deepEqual(contents(body), [0, 1, 2, 3].map(text));
  assert.equal(at(events(body).at(-2), "choices", 0, "finish_reason"), "length");
  assert.equal(at(events(body).at(-1), "usage", "completion_tokens"), 4);
});

test("an answer without chunks is still an answer", async (t) => {
  const client = await start(t);
  const { body } = await client.chat("chat-chunks0", USAGE);
  assert.equal(contents(body).length, 0);
  assert.equal(at(events(body).at(-1), "usage", "completion_tokens"), 0);
});

test("pings come before the first chunk and between chunks", async (t) => {
  const client = await start(t);
  const { body } = await client.chat("chat-chunks3-ping", { stream: true });
  const kinds = body
    .toString()
    .split("\n\n")
    .map((block) => (block.startsWith(":") ? block : block.slice(0, 4)));
  assert.deepEqual(kinds, [": ping", "data", "data", ": ping", "data", ": ping", "data", "data", "data", ""]);
});

test("split writes pieces of so many bytes, also inside a character", async (t) => {
  const client = await start(t);
  const { body, pieces } = await client.chat("chat-split7", { stream: true });
  assert.equal(contents(body).join(""), fullText(10));
  for (const piece of pieces.slice(0, -1)) assert.equal(piece.length, 7);
  assert.ok(
    pieces.some((piece) => piece.toString().includes("\ufffd")),
    "no character was split",
  );
});

test("each sends every event by itself", async (t) => {
  const client = await start(t);
  const { pieces } = await client.chat("chat-chunks20-each-ping", { stream: true });
  assert.ok(pieces.every((piece) => piece.toString().endsWith("\n\n") && piece.toString().split("\n\n").length === 2));
});

test("the gap is kept between chunks, and latency before everything", async (t) => {
  const client = await start(t);
  const began = performance.now();
  const { body, pieces } = await client.chat("chat-lat40-chunks5-gap20", { stream: true });
  assert.ok(performance.now() - began >= 40 + 4 * 20 - 5);
  assert.ok(pieces.length >= 5);
  assert.equal(contents(body).length, 5);
});

test("a long stream comes whole", async (t) => {
  const client = await start(t);
  const { body, whole } = await client.chat("chat-chunks20000", USAGE);
  assert.ok(whole);
  assert.equal(contents(body).join(""), fullText(20_000));
});
