/**
 * Headgate with OpenAI's own Node SDK. test_openai_node_sdk.py runs this, and sets HEADGATE_URL, HEADGATE_KEY and SIM_URL.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import OpenAI from "openai";
import type { ChatCompletionChunk, ChatCompletionTool } from "openai/resources/chat/completions";
import { fullText } from "../../tools/sim/text.ts";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this through pytest`);
  return value;
}

const baseURL = `${setting("HEADGATE_URL")}/v1`;
const client = new OpenAI({ baseURL, apiKey: setting("HEADGATE_KEY"), maxRetries: 0 });
const messages = [{ role: "user" as const, content: "Say hello." }];
const weather: ChatCompletionTool = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { place: { type: "string" }, days: { type: "integer" } } },
  },
};

/** A model that no other test uses. */
function simModel(words = ""): string {
  const letters = Array.from({ length: 10 }, () => String.fromCharCode(randomInt(97, 123))).join("");
  return `sim/n${letters}${words === "" ? "" : `-${words}`}`;
}

/** Reads a stream to its end, or to its error, which is returned too. */
async function read(stream: AsyncIterable<ChatCompletionChunk>) {
  const chunks: ChatCompletionChunk[] = [];
  let error: unknown;
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch (thrown) {
    error = thrown;
  }
  const text = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.content ?? "")).join("");
  return { chunks, text, error };
}

test("a whole answer has the provider's text, usage and request id", async () => {
  const completion = await client.chat.completions.create({ model: simModel("chunks7"), messages });

  assert.equal(completion.choices[0]?.message.content, fullText(7));
  assert.equal(completion.choices[0]?.finish_reason, "stop");
  assert.equal(completion.usage?.completion_tokens, 7);
  assert.ok(completion._request_id);
});

test("a stream has the same text in pieces, and no usage that nobody asked for", async () => {
  const stream = await client.chat.completions.create({ model: simModel("chunks30-split7"), messages, stream: true });
  const { chunks, text, error } = await read(stream);

  assert.equal(error, undefined);
  assert.equal(text, fullText(30));
  assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
  assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, "stop");
});

test("a stream tells its usage when asked", async () => {
  const stream = await client.chat.completions.create({
    model: simModel("chunks4"),
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  const { chunks } = await read(stream);

  assert.deepEqual(chunks.at(-1)?.choices, []);
  assert.equal(chunks.at(-1)?.usage?.completion_tokens, 4);
});

test("several choices come side by side", async () => {
  const { choices } = await client.chat.completions.create({ model: simModel("chunks3"), messages, n: 2 });

  assert.deepEqual(
    choices.map((choice) => choice.message.content),
    [fullText(3), fullText(3)],
  );
});

test("a tool is called, whole and streamed", async () => {
  const model = simModel("tools-chunks6");
  const whole = await client.chat.completions.create({ model, messages, tools: [weather] });
  const call = whole.choices[0]?.message.tool_calls?.[0];
  assert.ok(call?.type === "function");
  assert.deepEqual(JSON.parse(call.function.arguments), { place: "Paris", days: 1 });

  const streamed = await client.chat.completions
    .stream({ model, messages, tools: [weather] })
    .finalChatCompletion();
  const streamedCall = streamed.choices[0]?.message.tool_calls?.[0];
  assert.ok(streamedCall?.type === "function");
  assert.deepEqual(JSON.parse(streamedCall.function.arguments), { place: "Paris", days: 1 });
  assert.equal(streamed.choices[0]?.finish_reason, "tool_calls");
});

test("models are listed and described", async () => {
  const names: string[] = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("sim/chat"));
  assert.equal((await client.models.retrieve("sim/chat")).id, "sim/chat");
});

test("texts are embedded, as numbers and in the SDK's own base64", async () => {
  const model = simModel();
  const plain = await client.embeddings.create({ model, input: ["a", "b"], encoding_format: "float" });
  const packed = await client.embeddings.create({ model, input: ["a", "b"] });

  assert.equal(plain.data.length, 2);
  for (const [i, item] of plain.data.entries()) {
    const other = packed.data[i]?.embedding ?? [];
    assert.ok(item.embedding.every((value, k) => Math.abs(value - (other[k] ?? Infinity)) < 1e-6));
  }
});

const CLASSES = [
  [400, OpenAI.BadRequestError],
  [404, OpenAI.NotFoundError],
  [409, OpenAI.ConflictError],
  [413, OpenAI.APIError],
  [422, OpenAI.UnprocessableEntityError],
  [429, OpenAI.RateLimitError],
  [500, OpenAI.InternalServerError],
  [502, OpenAI.InternalServerError],
  [503, OpenAI.InternalServerError],
  [504, OpenAI.InternalServerError],
] as const;

for (const [status, kind] of CLASSES) {
  test(`the provider's ${status} raises ${kind.name}, also where a stream was wanted`, async () => {
    for (const stream of [false, true]) {
      const asked = client.chat.completions.create({ model: simModel(`err${status}`), messages, stream });
      await assert.rejects(asked, (error) => {
        assert.ok(error instanceof kind);
        assert.equal(error.status, status);
        assert.ok(error.requestID);
        const retryAfter = status === 429 || status === 503 ? "1" : null;
        assert.equal(error.headers?.get("retry-after") ?? null, retryAfter);
        return true;
      });
    }
  });
}

test("a wrong key raises AuthenticationError", async () => {
  const stranger = new OpenAI({ baseURL, apiKey: "sk-somebody-elses", maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

for (const word of ["late5", "cut5"]) {
  for (const usage of [false, true]) {
    test(`${word} raises an APIError after the text so far, ${usage ? "native" : "filtered"}`, async () => {
      const stream = await client.chat.completions.create({
        model: simModel(`${word}-chunks20`),
        messages,
        stream: true,
        stream_options: { include_usage: usage },
      });
      const { text, error } = await read(stream);

      assert.ok(error instanceof OpenAI.APIError);
      assert.ok(!(error instanceof OpenAI.APIConnectionError));
      assert.equal(text, fullText(5));
    });
  }
}

for (const usage of [false, true]) {
  test(`the event that tells a stream's cost is not noticed, ${usage ? "native" : "filtered"}`, async () => {
    const stream = await client.chat.completions.create(
      { model: simModel("chunks30"), messages, stream: true, stream_options: { include_usage: usage } },
      { headers: { "x-headgate-stream-cost": "true" } },
    );
    const { chunks, text, error } = await read(stream);

    assert.equal(error, undefined);
    assert.equal(text, fullText(30));
    assert.ok(chunks.every((chunk) => chunk.object === "chat.completion.chunk"));
  });
}

test("a client that stops reading stops the provider", async () => {
  const model = simModel("chunks1000-gap20");
  const stream = await client.chat.completions.create({ model, messages, stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;

  const deadline = performance.now() + 10_000;
  for (;;) {
    const answer = await fetch(`${setting("SIM_URL")}/__stats`);
    const stats = (await answer.json()) as { recent: { model: string; tokens_served: number }[] };
    const left = stats.recent.find((item) => `sim/${item.model}` === model);
    if (left !== undefined) return assert.ok(left.tokens_served < 500);
    assert.ok(performance.now() < deadline, "the provider was not stopped");
  }
});
