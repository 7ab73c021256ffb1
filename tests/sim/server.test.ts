import assert from "node:assert/strict";
import { test } from "node:test";
import { at, prompt, start } from "./harness.ts";

const CHAT = "/v1/chat/completions";

test("every answer carries the headers of OpenAI", async (t) => {
  const client = await start(t);
  for (const { headers } of [
    await client.chat("chat"),
    await client.chat("chat", { stream: true }),
    await client.get("/v1/none"),
  ]) {
    assert.match(String(headers["x-request-id"]), /^req_sim_\d+$/);
    assert.match(String(headers["openai-processing-ms"]), /^\d+$/);
    assert.equal(headers["openai-version"], "2020-10-01");
    assert.equal(headers["openai-organization"], "sim");
    for (const name of ["limit", "remaining", "reset"]) {
      assert.ok(headers[`x-ratelimit-${name}-requests`]);
      assert.ok(headers[`x-ratelimit-${name}-tokens`]);
    }
  }
});

test("a key is needed", async (t) => {
  const client = await start(t);
  for (const authorization of ["", "Bearer", "Bearer ", "Basic k"]) {
    const { status, json } = await client.post(CHAT, prompt("chat"), { authorization });
    assert.equal(status, 401);
    assert.equal(at(json, "error", "code"), "invalid_api_key");
  }
  const stats = await client.stats();
  assert.equal(at(stats, "unauthorized"), 4);
  assert.equal(at(stats, "errors"), 4);
});

test("a set key is the only one", async (t) => {
  const client = await start(t, { key: "right" });
  assert.equal((await client.post(CHAT, prompt("chat"), { authorization: "Bearer wrong" })).status, 401);
  assert.equal((await client.post(CHAT, prompt("chat"), { authorization: "Bearer right" })).status, 200);
});

test("bodies that are no JSON object are refused", async (t) => {
  const client = await start(t);
  for (const body of ["", "{", "[]", "null", '"x"', Buffer.from([0x7b, 0xff, 0x7d])]) {
    const { status, json } = await client.post(CHAT, body);
    assert.equal(status, 400);
    assert.equal(at(json, "error", "type"), "invalid_request_error");
  }
});

test("10 MB are taken and more is not", async (t) => {
  const client = await start(t);
  const limit = 10 * 1024 * 1024;
  const body = JSON.stringify(prompt("chat"));
  assert.equal((await client.post(CHAT, body + " ".repeat(limit - body.length))).status, 200);
  const { status, json } = await client.post(CHAT, body + " ".repeat(limit - body.length + 1));
  assert.equal(status, 413);
  assert.equal(at(json, "error", "code"), "request_too_large");
});

test("unknown paths and wrong methods", async (t) => {
  const client = await start(t);
  for (const path of ["/", "/v1", "/v1/none", "/chat/completions", "/v1/models/%zz"]) {
    const { status, json } = await client.get(path);
    assert.equal(status, 404, path);
    assert.equal(at(json, "error", "type"), "invalid_request_error");
  }
  for (const [method, path, allow] of [
    ["GET", CHAT, "POST"],
    ["PUT", "/v1/embeddings", "POST"],
    ["DELETE", "/v1/models/chat", "GET"],
    ["GET", "/__reset", "POST"],
  ] as const) {
    const { status, headers } = await client.call(method, path).answer;
    assert.equal(status, 405);
    assert.equal(headers.allow, allow);
  }
});

test("models are listed, and found by any name that the grammar takes", async (t) => {
  const client = await start(t);
  const list = await client.get("/v1/models");
  assert.equal(at(list.json, "object"), "list");
  const data = at(list.json, "data");
  assert.ok(Array.isArray(data));
  const ids = data.map((model) => at(model, "id"));
  for (const id of ["chat", "chat-tools", "chat-lat50-chunks100-gap10", "embed"]) assert.ok(ids.includes(id));
  for (const id of [...ids.map(String), "chat-split7-ping", "sim/chat", "sim%2Fchat"]) {
    const { status, json } = await client.get(`/v1/models/${id}`);
    assert.equal(status, 200);
    assert.deepEqual(json, { id: decodeURIComponent(id), object: "model", created: 1735689600, owned_by: "sim" });
  }
  assert.equal((await client.get("/v1/models/gpt-4o")).status, 404);
});

test("an unknown model is OpenAI's 404", async (t) => {
  const client = await start(t);
  const { status, json } = await client.chat("chat-fast");
  assert.equal(status, 404);
  assert.equal(at(json, "error", "code"), "model_not_found");
  assert.match(String(at(json, "error", "message")), /`fast`/);
});

test("a connection serves many requests", async (t) => {
  const client = await start(t);
  for (let i = 0; i < 20; i++) {
    const response = await fetch(`${client.url}${CHAT}`, {
      method: "POST",
      headers: { authorization: "Bearer k" },
      body: JSON.stringify(prompt("chat", { stream: i % 2 === 0 })),
    });
    assert.equal(response.status, 200);
    await response.text();
  }
  assert.equal(at(await client.stats(), "completed"), 20);
});
