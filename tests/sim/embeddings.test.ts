import assert from "node:assert/strict";
import { test } from "node:test";
import { at, start } from "./harness.ts";
import type { Answer, Client } from "./harness.ts";

async function embed(client: Client, more: object): Promise<Answer> {
  return client.post("/v1/embeddings", { model: "embed", ...more });
}

function floats(json: unknown, index = 0): number[] {
  const value = at(json, "data", index, "embedding");
  assert.ok(Array.isArray(value));
  return value.map(Number);
}

test("an embedding is a unit vector that depends on the input alone", async (t) => {
  const client = await start(t);
  const one = await embed(client, { input: "water" });
  const list = await embed(client, { input: ["fire", "water"] });
  assert.equal(at(one.json, "object"), "list");
  assert.equal(at(one.json, "model"), "embed");
  assert.equal(floats(one.json).length, 8);
  assert.ok(Math.abs(Math.hypot(...floats(one.json)) - 1) < 1e-6);
  assert.deepEqual(floats(list.json, 1), floats(one.json));
  assert.notDeepEqual(floats(list.json, 0), floats(one.json));
  assert.deepEqual(at(one.json, "usage"), { prompt_tokens: 2, total_tokens: 2 });
});

test("base64 holds the same 32-bit floats", async (t) => {
  const client = await start(t);
  const plain = await embed(client, { input: "water", dimensions: 5 });
  const packed = await embed(client, { input: "water", dimensions: 5, encoding_format: "base64" });
  const bytes = Buffer.from(String(at(packed.json, "data", 0, "embedding")), "base64");
  assert.equal(bytes.length, 20);
  assert.deepEqual(
    [0, 4, 8, 12, 16].map((offset) => bytes.readFloatLE(offset)),
    floats(plain.json),
  );
});

test("tokens are taken, one list or many, and counted", async (t) => {
  const client = await start(t);
  const one = await embed(client, { input: [1, 2, 3] });
  const many = await embed(client, { input: [[1, 2, 3], [4]] });
  assert.equal(at(one.json, "data", "length"), 1);
  assert.equal(at(one.json, "usage", "total_tokens"), 3);
  assert.equal(at(many.json, "data", "length"), 2);
  assert.equal(at(many.json, "usage", "total_tokens"), 4);
  assert.equal(at(await client.stats(), "prompt_tokens"), 7);
});

test("the words of the name apply", async (t) => {
  const client = await start(t);
  assert.equal((await embed(client, { model: "embed-err503", input: "x" })).status, 503);
  assert.equal((await embed(client, { model: "embed-cut0", input: "x" })).whole, false);
  assert.equal(at((await embed(client, { model: "embed-nousage", input: "x" })).json, "usage"), undefined);
  assert.equal(floats((await embed(client, { model: "embed-split3", input: "x" })).json).length, 8);
});

test("wrong input is refused", async (t) => {
  const client = await start(t);
  const cases: readonly (readonly [object, string])[] = [
    [{}, "input"],
    [{ input: "" }, "input"],
    [{ input: [] }, "input"],
    [{ input: ["a", ""] }, "input"],
    [{ input: [1.5] }, "input"],
    [{ input: Array.from({ length: 2049 }, () => "x") }, "input"],
    [{ input: "x", dimensions: 0 }, "dimensions"],
    [{ input: "x", encoding_format: "hex" }, "encoding_format"],
    [{ input: "x", model: "" }, "model"],
  ];
  for (const [more, param] of cases) {
    const { status, json } = await embed(client, more);
    assert.equal(status, 400);
    assert.equal(at(json, "error", "param"), param);
  }
});
