import assert from "node:assert/strict";
import { test } from "node:test";
import { at, prompt, start, until } from "./harness.ts";
import type { Client } from "./harness.ts";
import { contents } from "./sse.ts";

const active = (client: Client): number => client.sim.stats.total.active;
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

test("a client that leaves before the first byte is counted so, and its timer is gone", async (t) => {
  const client = await start(t);
  const call = client.begin("chat-lat600000");
  await until(() => active(client) === 1);
  // The request is active a moment before its body is read and its timer set.
  await until(() => client.sim.stats.model("chat-lat600000").active === 1);
  const before = timers();
  call.leave();
  await until(() => active(client) === 0);
  assert.ok(timers() < before);
  const stats = await client.stats();
  assert.equal(at(stats, "cancelled"), 1);
  assert.equal(at(stats, "cancelled_before_first_byte"), 1);
  assert.equal(at(stats, "completed"), 0);
  assert.equal(at(stats, "completion_tokens"), 0);
  const atMs = at(stats, "recent", 0, "at_ms");
  assert.ok(typeof atMs === "number" && Math.abs(atMs - Date.now()) < 60_000);
  assert.deepEqual(at(stats, "recent"), [
    { model: "chat-lat600000", at_ms: atMs, tokens_served: 0, phase: "before_first_byte" },
  ]);
});

test("a client that leaves in the middle is counted with the tokens it got", async (t) => {
  const client = await start(t);
  const call = client.begin("chat-chunks4-gap60000");
  await until(() => contents(call.text()).length === 1);
  call.leave();
  await until(() => active(client) === 0);
  const stats = await client.stats();
  assert.equal(at(stats, "cancelled_before_first_byte"), 0);
  assert.equal(at(stats, "completion_tokens"), 1);
  assert.equal(at(stats, "recent", 0, "phase"), "mid_stream");
  assert.equal(at(stats, "recent", 0, "tokens_served"), 1);
  assert.equal(at(stats, "by_model", "chat-chunks4-gap60000", "cancelled"), 1);
});

test("a client that leaves while it waits for a whole answer is counted so", async (t) => {
  const client = await start(t);
  const call = client.begin("chat-chunks10-gap60000", { stream: false });
  await until(() => client.sim.stats.model("chat-chunks10-gap60000").active === 1);
  call.leave();
  await until(() => active(client) === 0);
  const stats = await client.stats();
  assert.equal(at(stats, "cancelled"), 1);
  assert.equal(at(stats, "cancelled_before_first_byte"), 1);
  assert.equal(at(stats, "recent", 0, "phase"), "non_streaming");
  assert.equal(at(stats, "completion_tokens"), 0);
});

test("a client that leaves while pieces are written stops them", async (t) => {
  const client = await start(t);
  const call = client.begin("chat-chunks100000-split7");
  await until(() => contents(call.text()).length > 2);
  call.leave();
  await until(() => active(client) === 0);
  const served = at(await client.stats(), "completion_tokens");
  assert.ok(typeof served === "number" && served >= 3 && served < 100_000);
});

test("a reader that does not read holds the stream up instead of filling the memory", async (t) => {
  const client = await start(t);
  const response = await fetch(`${client.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer k" },
    body: JSON.stringify(prompt("chat-chunks100000", { stream: true, n: 8 })),
  });
  const served = async (): Promise<unknown> => at(await client.stats(), "completion_tokens");
  let last: unknown;
  // It stands still once the kernel's buffers are full.
  await until(async () => {
    const now = await served();
    const still = now === last && now !== 0;
    last = now;
    return still;
  });
  assert.ok(typeof last === "number" && last < 800_000);
  await response.body?.cancel();
  await until(() => active(client) === 0);
  assert.equal(at(await client.stats(), "recent", 0, "phase"), "mid_stream");
});

test("an embedding can be left too", async (t) => {
  const client = await start(t);
  const call = client.call("POST", "/v1/embeddings", { model: "embed-lat600000", input: "x" });
  await until(() => client.sim.stats.model("embed-lat600000").active === 1);
  call.leave();
  await until(() => active(client) === 0);
  assert.equal(at(await client.stats(), "recent", 0, "phase"), "non_streaming");
});
