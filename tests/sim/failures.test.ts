import assert from "node:assert/strict";
import { test } from "node:test";
import { text } from "../../tools/sim/text.ts";
import { at, start, until } from "./harness.ts";
import { contents, datas, events } from "./sse.ts";

const FIVE = [0, 1, 2, 3, 4].map(text);

test("err answers its status in OpenAI's shape, stream or not", async (t) => {
  const client = await start(t);
  for (const status of [400, 401, 404, 418, 429, 500, 503, 529]) {
    for (const stream of [false, true]) {
      const answer = await client.chat(`chat-err${status}`, { stream });
      assert.equal(answer.status, status);
      assert.equal(answer.headers["content-type"], "application/json");
      assert.deepEqual(Object.keys(Object(at(answer.json, "error"))), ["message", "type", "param", "code"]);
      assert.equal(answer.headers["retry-after"], status === 429 || status === 503 ? "1" : undefined);
    }
  }
  assert.equal(at(await client.stats(), "errors"), 16);
  assert.equal(at(await client.stats(), "prompt_tokens"), 0);
});

test("err comes after the latency, and split applies to it", async (t) => {
  const client = await start(t);
  const began = performance.now();
  const { status, headers, pieces, json } = await client.chat("chat-lat30-err429-split16");
  assert.ok(performance.now() - began >= 25);
  assert.equal(status, 429);
  assert.equal(headers["retry-after"], "1");
  assert.ok(pieces.length > 3);
  assert.equal(at(json, "error", "code"), "rate_limit_exceeded");
});

test("late ends a stream with an error event and no [DONE]", async (t) => {
  const client = await start(t);
  const { status, body, whole } = await client.chat("chat-late5", { stream: true });
  assert.equal(status, 200);
  assert.ok(whole);
  assert.deepEqual(contents(body), FIVE);
  assert.equal(at(events(body).at(-1), "error", "code"), "sim_late");
  assert.equal(at(events(body).at(-1), "error", "param"), null);
  assert.ok(!datas(body).includes("[DONE]"));
  assert.equal(at(await client.stats(), "errors"), 1);
});

test("late is a plain 500 for a whole answer", async (t) => {
  const client = await start(t);
  const { status, json } = await client.chat("chat-late5");
  assert.equal(status, 500);
  assert.equal(at(json, "error", "code"), "sim_late");
});

test("cut drops the connection inside the next event", async (t) => {
  const client = await start(t);
  for (const model of ["chat-cut5", "chat-cut5-split7", "chat-cut5-each", "chat-cut5-gap1"]) {
    const { body, whole } = await client.chat(model, { stream: true });
    assert.ok(!whole, model);
    assert.deepEqual(contents(body), FIVE);
    const rest = body.toString().split("\n\n").at(-1) ?? "";
    assert.ok(rest.startsWith("data: {") && rest.length > 50, rest);
  }
  const stats = await client.stats();
  assert.equal(at(stats, "cut"), 4);
  assert.equal(at(stats, "cancelled"), 0);
  assert.equal(at(stats, "completion_tokens"), 20);
});

test("cut drops the connection inside a whole answer", async (t) => {
  const client = await start(t);
  const { status, headers, body, whole } = await client.chat("chat-cut5");
  assert.equal(status, 200);
  assert.ok(!whole);
  assert.ok(body.length > 0 && body.length < Number(headers["content-length"]));
});

test("a failure past the end comes before the finish", async (t) => {
  const client = await start(t);
  const { body, whole } = await client.chat("chat-chunks3-cut50", { stream: true });
  assert.ok(!whole);
  assert.equal(contents(body).length, 3);
  assert.ok(!body.toString().includes('"stop"'));
});

test("a failure at 0 comes before any content, and counts all choices together", async (t) => {
  const client = await start(t);
  const none = await client.chat("chat-late0", { stream: true });
  assert.deepEqual(contents(none.body), []);
  const both = await client.chat("chat-late5", { stream: true, n: 2 });
  assert.deepEqual([contents(both.body, 0).length, contents(both.body, 1).length], [3, 2]);
});

test("stall sends its chunks and then nothing until the client leaves", async (t) => {
  const client = await start(t);
  const call = client.begin("chat-stall5");
  await until(() => contents(call.text()).length === 5);
  assert.equal(at(await client.stats(), "active"), 1);
  call.leave();
  await until(() => client.sim.stats.total.active === 0);
  const stats = await client.stats();
  assert.equal(at(stats, "cancelled"), 1);
  assert.equal(at(stats, "completion_tokens"), 5);
});

test("stall sends part of a whole answer", async (t) => {
  const client = await start(t);
  const call = client.begin("chat-stall5", { stream: false });
  await until(() => call.text().startsWith('{"id"'));
  assert.throws(() => JSON.parse(call.text()));
  call.leave();
  await until(() => client.sim.stats.total.active === 0);
  const stats = await client.stats();
  assert.equal(at(stats, "recent", 0, "phase"), "non_streaming");
  assert.equal(at(stats, "cancelled_before_first_byte"), 0);
});
