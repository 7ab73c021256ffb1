import assert from "node:assert/strict";
import { test } from "node:test";
import { fullText } from "../../tools/sim/text.ts";
import { at, start } from "./harness.ts";

const DETAILS = {
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 0,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
};

test("a whole answer has OpenAI's full shape", async (t) => {
  const client = await start(t);
  const { status, headers, json } = await client.chat("sim/chat-chunks5");
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "application/json");
  const created = at(json, "created");
  assert.ok(typeof created === "number" && Math.abs(created - Date.now() / 1000) < 60);
  assert.deepEqual(json, {
    id: "chatcmpl-sim1",
    object: "chat.completion",
    created,
    model: "sim/chat-chunks5",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: fullText(5), refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: { prompt_tokens: 6, completion_tokens: 5, total_tokens: 11, ...DETAILS },
    service_tier: "default",
    system_fingerprint: "fp_sim",
  });
});

test("every choice costs its own tokens", async (t) => {
  const client = await start(t);
  const { json } = await client.chat("chat-chunks4", { n: 3 });
  for (const index of [0, 1, 2]) {
    assert.equal(at(json, "choices", index, "index"), index);
    assert.equal(at(json, "choices", index, "message", "content"), fullText(4));
  }
  assert.equal(at(json, "usage", "completion_tokens"), 12);
});

test("the client's limit shortens the answer; a limit that is not reached does not", async (t) => {
  const client = await start(t);
  for (const key of ["max_tokens", "max_completion_tokens"]) {
    const { json } = await client.chat("chat", { [key]: 3 });
    assert.equal(at(json, "choices", 0, "finish_reason"), "length");
    assert.equal(at(json, "choices", 0, "message", "content"), fullText(3));
    assert.equal(at(json, "usage", "completion_tokens"), 3);
  }
  const { json } = await client.chat("chat", { max_tokens: 10 });
  assert.equal(at(json, "choices", 0, "finish_reason"), "stop");
});

test("of two limits the newer holds, for every choice, of text or of a tool's call", async (t) => {
  const client = await start(t);
  const tools = [{ type: "function", function: { name: "f", parameters: { properties: { a: {}, b: {} } } } }];
  for (const model of ["chat-chunks50", "chat-chunks50-tools"]) {
    const body = { max_tokens: 9, max_completion_tokens: 4, n: 3, tools };
    const { json } = await client.chat(model, body);
    assert.equal(at(json, "choices", 2, "finish_reason"), "length");
    assert.equal(at(json, "usage", "completion_tokens"), 12);
  }
});

test("nousage leaves the usage out", async (t) => {
  const client = await start(t);
  const { json } = await client.chat("chat-nousage");
  assert.equal(at(json, "object"), "chat.completion");
  assert.equal(at(json, "usage"), undefined);
});

test("prompt tokens never exceed the bytes of the messages' JSON", async (t) => {
  const client = await start(t);
  const texts = ["", "a", "héllo", "😀", '"\\\n', "x".repeat(1000), [{ type: "text", text: "日本" }], [], null];
  for (const content of texts) {
    for (const count of [1, 2, 50]) {
      const messages = Array.from({ length: count }, () => ({ role: "", content }));
      const { json } = await client.chat("chat-chunks0", { messages });
      const tokens = at(json, "usage", "prompt_tokens");
      assert.ok(
        typeof tokens === "number" && tokens >= 3 * count && tokens <= Buffer.byteLength(JSON.stringify(messages)),
      );
    }
  }
});

test("what OpenAI refuses is refused, and the field is named", async (t) => {
  const client = await start(t);
  const cases: readonly (readonly [object, string])[] = [
    [{ model: undefined }, "model"],
    [{ model: 5 }, "model"],
    [{ messages: [] }, "messages"],
    [{ messages: ["hi"] }, "messages[0]"],
    [{ messages: [{ content: "hi" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: 5 }] }, "messages[0].content"],
    [{ stream: "yes" }, "stream"],
    [{ n: 0 }, "n"],
    [{ n: 129 }, "n"],
    [{ max_tokens: 0 }, "max_tokens"],
    [{ max_completion_tokens: 1.5 }, "max_completion_tokens"],
    [{ stream_options: { include_usage: true } }, "stream_options"],
    [{ stream: true, stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
    [{ tools: [{ type: "function" }] }, "tools[0].function"],
  ];
  for (const [more, param] of cases) {
    const { status, json } = await client.chat("chat", more);
    assert.equal(status, 400, param);
    assert.equal(at(json, "error", "param"), param);
    assert.equal(at(json, "error", "type"), "invalid_request_error");
  }
});

test("null means absent, as with OpenAI", async (t) => {
  const client = await start(t);
  const none = { stream: null, n: null, max_tokens: null, stream_options: null, tools: null, tool_choice: null };
  assert.equal((await client.chat("chat", none)).status, 200);
});
