import assert from "node:assert/strict";
import { test } from "node:test";
import { callArguments } from "../../tools/sim/tools.ts";
import { at, start } from "./harness.ts";
import { contents, events } from "./sse.ts";

const parameters = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" }, metric: { type: "boolean" } },
  required: ["city"],
};
const weather = { type: "function", function: { name: "get_weather", description: "Weather.", parameters } };
const other = { type: "function", function: { name: "other" } };
const EXPECTED = { city: "Paris", days: 1, metric: true };

test("a whole answer calls the first tool", async (t) => {
  const client = await start(t);
  const { json } = await client.chat("chat-tools-chunks4", { tools: [{ type: "custom" }, weather, other] });
  const message = at(json, "choices", 0, "message");
  assert.equal(at(message, "content"), null);
  assert.equal(at(message, "tool_calls", 0, "type"), "function");
  assert.equal(at(message, "tool_calls", 0, "id"), "call_sim1_0");
  assert.equal(at(message, "tool_calls", 0, "function", "name"), "get_weather");
  assert.deepEqual(JSON.parse(String(at(message, "tool_calls", 0, "function", "arguments"))), EXPECTED);
  assert.equal(at(json, "choices", 0, "finish_reason"), "tool_calls");
  assert.equal(at(json, "usage", "completion_tokens"), 4);
});

test("a stream brings the arguments in fragments, one a chunk", async (t) => {
  const client = await start(t);
  const more = { tools: [weather], stream: true, stream_options: { include_usage: true } };
  const { body } = await client.chat("chat-tools-chunks6", more);
  const all = events(body);
  const calls = all
    .map((event) => at(event, "choices", 0, "delta", "tool_calls", 0))
    .filter((call) => call !== undefined);
  assert.deepEqual(calls[0], {
    index: 0,
    id: "call_sim1_0",
    type: "function",
    function: { name: "get_weather", arguments: "" },
  });
  assert.equal(calls.length, 7);
  const joined = calls.map((call) => at(call, "function", "arguments")).join("");
  assert.deepEqual(JSON.parse(joined), EXPECTED);
  assert.equal(at(all.at(-2), "choices", 0, "finish_reason"), "tool_calls");
  assert.equal(at(all.at(-1), "usage", "completion_tokens"), 6);
});

test("there are never more fragments than characters", async (t) => {
  const client = await start(t);
  const { json } = await client.chat("chat-tools-chunks50", { tools: [other] });
  assert.equal(at(json, "choices", 0, "message", "tool_calls", 0, "function", "arguments"), "{}");
  assert.equal(at(json, "usage", "completion_tokens"), 2);
});

test("the choice of a tool is honoured", async (t) => {
  const client = await start(t);
  const named = await client.chat("chat-tools", {
    tools: [weather, other],
    tool_choice: { type: "function", function: { name: "other" } },
  });
  assert.equal(at(named.json, "choices", 0, "message", "tool_calls", 0, "function", "name"), "other");
  const none = await client.chat("chat-tools", { tools: [weather], tool_choice: "none" });
  assert.equal(at(none.json, "choices", 0, "finish_reason"), "stop");
  for (const tool_choice of [
    "required",
    { type: "function", function: { name: "get_weather" } },
    { type: "allowed_tools", allowed_tools: { mode: "required", tools: [weather] } },
  ]) {
    const must = await client.chat("chat", { tools: [weather, other], tool_choice });
    assert.equal(at(must.json, "choices", 0, "message", "tool_calls", 0, "function", "name"), "get_weather");
    assert.equal(at(must.json, "choices", 0, "finish_reason"), "tool_calls");
  }
  for (const tool_choice of [
    { type: "function", function: { name: "x" } },
    { type: "function" },
    { type: "allowed_tools", allowed_tools: { mode: "never", tools: [] } },
    "always",
    7,
  ]) {
    const wrong = await client.chat("chat-tools", { tools: [weather], tool_choice });
    assert.equal(wrong.status, 400);
    assert.match(String(at(wrong.json, "error", "param")), /^tool_choice/);
  }
  assert.equal((await client.chat("chat", { tool_choice: "required" })).status, 400);
});

test("text is answered to a tool's result, without tools, and by a model without the word", async (t) => {
  const client = await start(t);
  const messages = [
    { role: "user", content: "Weather?" },
    { role: "assistant", content: null, tool_calls: [] },
    { role: "tool", tool_call_id: "call_sim1_0", content: "sunny" },
  ];
  for (const [model, more] of [
    ["chat-tools", { tools: [weather], messages }],
    ["chat-tools", {}],
    ["chat", { tools: [weather] }],
  ] as const) {
    const { body } = await client.chat(model, { ...more, stream: true });
    assert.equal(contents(body).length, 10);
  }
});

test("arguments fit the schema", () => {
  const schema = {
    properties: {
      unit: { enum: ["c", "f"] },
      fixed: { const: 7 },
      maybe: { type: ["null", "string"] },
      either: { anyOf: [{ type: "number" }, { type: "string" }] },
      list: { type: "array", items: { type: "object", properties: { deep: { type: "string" } } } },
      odd: { $ref: "#/x" },
    },
  };
  assert.deepEqual(JSON.parse(callArguments({ name: "f", parameters: schema })), {
    unit: "c",
    fixed: 7,
    maybe: null,
    either: 1,
    list: [{ deep: "sim" }],
    odd: null,
  });
  assert.equal(callArguments({ name: "f", parameters: undefined }), "{}");
});
