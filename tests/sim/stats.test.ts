import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Stats } from "../../tools/sim/stats.ts";
import { at, prompt, start, until } from "./harness.ts";

test("requests and tokens are counted, in all and by model", async (t) => {
  const client = await start(t);
  for (let i = 0; i < 5; i++) await client.chat("chat-chunks3");
  await client.chat("chat-chunks7", { stream: true });
  const stats = await client.stats();
  assert.deepEqual(at(stats, "by_model", "chat-chunks3"), {
    requests: 5,
    active: 0,
    highest_concurrency: 1,
    completed: 5,
    cancelled: 0,
    cancelled_before_first_byte: 0,
    errors: 0,
    cut: 0,
    prompt_tokens: 30,
    completion_tokens: 15,
  });
  assert.equal(at(stats, "by_model", "chat-chunks7", "completion_tokens"), 7);
  assert.equal(at(stats, "requests"), 6);
  assert.equal(at(stats, "completed"), 6);
  assert.equal(at(stats, "prompt_tokens"), 36);
  assert.equal(at(stats, "completion_tokens"), 22);
});

test("the highest concurrency is kept after all have left", async (t) => {
  const client = await start(t);
  const calls = Array.from({ length: 5 }, () => client.begin("chat-stall1"));
  await until(() => client.sim.stats.model("chat-stall1").active === 5);
  for (const call of calls) call.leave();
  await until(() => client.sim.stats.total.active === 0);
  await client.chat("chat");
  const stats = await client.stats();
  assert.equal(at(stats, "highest_concurrency"), 5);
  assert.equal(at(stats, "by_model", "chat-stall1", "highest_concurrency"), 5);
  assert.equal(at(stats, "by_model", "chat", "highest_concurrency"), 1);
  assert.equal(at(stats, "cancelled"), 5);
});

test("the last request is shown, with its key as a hash", async (t) => {
  const client = await start(t);
  const body = prompt("chat");
  await client.post("/v1/chat/completions?x=1", body, { authorization: "Bearer secret", "x-extra": "1" });
  const last = at(await client.stats(), "last_request");
  assert.equal(at(last, "method"), "POST");
  assert.equal(at(last, "path"), "/v1/chat/completions");
  assert.deepEqual(at(last, "body"), body);
  assert.equal(at(last, "headers", "x-extra"), "1");
  assert.equal(
    at(last, "headers", "authorization"),
    createHash("sha256").update("Bearer secret").digest("hex").slice(0, 16),
  );
});

test("reset zeroes everything; what is under way stays active and counts nowhere when it ends", async (t) => {
  const client = await start(t);
  await client.chat("chat");
  const call = client.begin("chat-stall1");
  await until(() => call.text().includes("Hello"));
  const reset = await client.post("/__reset", undefined);
  assert.equal(reset.status, 204);
  const during = await client.stats();
  assert.equal(at(during, "requests"), 0);
  assert.equal(at(during, "active"), 1);
  assert.equal(at(during, "last_request"), null);
  assert.deepEqual(Object.keys(Object(at(during, "by_model"))), ["chat-stall1"]);
  call.leave();
  await until(() => client.sim.stats.total.active === 0);
  const after = await client.stats();
  assert.equal(at(after, "cancelled"), 0);
  assert.equal(at(after, "by_model", "chat-stall1", "active"), 0);
  assert.deepEqual(at(after, "recent"), []);
});

test("made-up names and many cancellations do not fill the memory", () => {
  const stats = new Stats();
  for (let i = 0; i < 1500; i++) {
    const ticket = stats.begin({ method: "POST", path: "/", headers: {}, body: null });
    ticket.model(`chat-lat${i}`);
    ticket.cancel(false);
  }
  const report = stats.report();
  assert.equal(Object.keys(Object(at(report, "by_model"))).length, 1000);
  assert.equal(at(report, "by_model", "(other)", "cancelled"), 501);
  assert.equal(at(report, "recent", "length"), 20);
  assert.equal(at(report, "recent", 19, "model"), "chat-lat1499");
  assert.equal(at(report, "active"), 0);
});
