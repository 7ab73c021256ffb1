import assert from "node:assert/strict";
import { test } from "node:test";
import { example } from "../../tools/sim/example.ts";
import { at, start } from "./harness.ts";
import { contents } from "./sse.ts";

const schema = {
  type: "object",
  properties: {
    city: { type: "string" },
    days: { type: "array", items: { $ref: "#/$defs/day" }, minItems: 2 },
    question: { type: "string" },
  },
  required: ["city", "days", "question"],
  additionalProperties: false,
  $defs: {
    day: {
      type: "object",
      properties: { date: { type: "string", format: "date" }, degrees: { type: "number", minimum: -5, maximum: 0 } },
      required: ["date", "degrees"],
    },
  },
};
const DAY = { date: "2026-01-02", degrees: 0 };
const messages = [{ role: "user", content: "As JSON: what is the weather?" }];
const EXPECTED = { city: "Paris", days: [DAY, DAY], question: "As JSON: what is the weather?" };
const response_format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema } };

test("an answer is JSON that fits the schema, whole and as a stream", async (t) => {
  const client = await start(t);
  const whole = await client.chat("chat-chunks7", { messages, response_format });
  assert.deepEqual(JSON.parse(String(at(whole.json, "choices", 0, "message", "content"))), EXPECTED);
  assert.equal(at(whole.json, "choices", 0, "finish_reason"), "stop");
  assert.equal(at(whole.json, "usage", "completion_tokens"), 7);
  const { body } = await client.chat("chat-chunks7", { messages, response_format, stream: true });
  assert.equal(contents(body).length, 7);
  assert.deepEqual(JSON.parse(contents(body).join("")), EXPECTED);
});

test("an answer is an object where that is all that is asked for", async (t) => {
  const client = await start(t);
  const asked = { messages, response_format: { type: "json_object" } };
  const { json } = await client.chat("chat", asked);
  assert.equal(typeof JSON.parse(String(at(json, "choices", 0, "message", "content"))), "object");
  const silent = await client.chat("chat", { ...asked, messages: [{ role: "user", content: "Weather?" }] });
  assert.equal(silent.status, 400);
  assert.match(String(at(silent.json, "error", "message")), /must contain the word 'json'/);
  const text = await client.chat("chat-chunks2", { messages, response_format: { type: "text" } });
  assert.equal(at(text.json, "choices", 0, "message", "content"), "Hello from ");
});

test("what is cut off by the client's maximum is no whole JSON, and says so", async (t) => {
  const client = await start(t);
  const { json } = await client.chat("chat-chunks7", { messages, response_format, max_tokens: 3 });
  assert.equal(at(json, "choices", 0, "finish_reason"), "length");
  assert.throws(() => JSON.parse(String(at(json, "choices", 0, "message", "content"))));
});

test("a tool is called first, and its result answered with JSON", async (t) => {
  const client = await start(t);
  const tools = [{ type: "function", function: { name: "look" } }];
  const called = await client.chat("chat-tools", { messages, response_format, tools });
  assert.equal(at(called.json, "choices", 0, "finish_reason"), "tool_calls");
  const more = [...messages, { role: "tool", tool_call_id: "call_sim1_0", content: "sunny" }];
  const { json } = await client.chat("chat-tools", { messages: more, response_format, tools });
  assert.deepEqual(JSON.parse(String(at(json, "choices", 0, "message", "content"))), EXPECTED);
});

test("a format that OpenAI would refuse is refused", async (t) => {
  const client = await start(t);
  const named = (more: object) => ({ type: "json_schema", json_schema: { name: "x", ...more } });
  for (const wrong of [
    "json",
    { type: "yaml" },
    { type: "json_schema" },
    named({ name: "not a name" }),
    named({ schema: [] }),
    named({ strict: true, schema: { type: "array" } }),
  ]) {
    const { status, json } = await client.chat("chat", { messages, response_format: wrong });
    assert.equal(status, 400, JSON.stringify(wrong));
    assert.match(String(at(json, "error", "param")), /^response_format/);
  }
});

test("values fit their schemas", () => {
  for (const [given, value] of [
    [{ type: "integer", minimum: 7 }, 7],
    [{ type: "integer", exclusiveMinimum: 7, multipleOf: 5 }, 15],
    [{ type: "integer", maximum: -3 }, -3],
    [{ type: "number", multipleOf: 0.5, maximum: 0.7 }, 0.5],
    [{ type: "string", minLength: 5 }, "simxx"],
    [{ type: "string", maxLength: 2 }, "si"],
    [{ type: "string", format: "email" }, "ada@example.com"],
    [{ type: "string", default: "d", enum: ["d", "e"] }, "d"],
    [{ examples: ["e"] }, "e"],
    [{ type: ["string", "null"] }, "sim"],
    [{ type: "array", minItems: 0, maxItems: 0 }, []],
    [{ prefixItems: [{ const: 1 }, { const: 2 }], type: "array" }, [1, 2]],
    [{ allOf: [{ properties: { a: { const: 1 } } }, { properties: { b: { const: 2 } } }] }, { a: 1, b: 2 }],
    [{ $ref: "#/nowhere" }, null],
    [{ $ref: "https://elsewhere.example/schema" }, null],
  ] as const) {
    assert.deepEqual(example(given, ""), value, JSON.stringify(given));
  }
});

test("a schema that leads to itself, or multiplies, has an end", () => {
  const next = { anyOf: [{ $ref: "#" }, { type: "null" }] };
  const node = { type: "object", properties: { value: { type: "integer" }, next } };
  assert.ok(JSON.stringify(example({ ...node, required: ["value", "next"] }, "")).length < 1_000);
  const round = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } };
  assert.equal(example(round, ""), null);
  const many = { type: "array", minItems: 100, items: { type: "array", minItems: 100, items: { $ref: "#" } } };
  assert.ok(JSON.stringify(example(many, "")).length < 200_000);
});
