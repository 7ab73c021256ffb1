import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../tools/sim/errors.ts";
import { modelSpec, parseModel } from "../../tools/sim/model.ts";

const PLAIN = {
  family: "chat",
  lat: 0,
  chunks: 10,
  gap: 0,
  split: 0,
  err: 0,
  failure: null,
  each: false,
  ping: false,
  nousage: false,
  tools: false,
};

function refusal(name: string): ApiError {
  try {
    parseModel(name);
  } catch (error) {
    if (error instanceof ApiError) return error;
  }
  throw new Error(`${name} was taken`);
}

test("a family alone has the defaults", () => {
  assert.deepEqual(parseModel("chat"), PLAIN);
  assert.deepEqual(parseModel("embed"), { ...PLAIN, family: "embed" });
});

test("words combine in any order, with or without the gateway's prefix", () => {
  const spec = { ...PLAIN, lat: 50, chunks: 100, gap: 10, split: 7, ping: true, nousage: true };
  assert.deepEqual(parseModel("chat-lat50-chunks100-gap10-split7-ping-nousage"), spec);
  assert.deepEqual(parseModel("sim/chat-nousage-ping-split7-gap10-chunks100-lat50"), spec);
  assert.deepEqual(parseModel("chat-each-tools-err503"), { ...PLAIN, each: true, tools: true, err: 503 });
});

test("the earliest failure counts, and of two at one place the first named", () => {
  assert.deepEqual(parseModel("chat-late5").failure, { kind: "late", after: 5 });
  assert.deepEqual(parseModel("chat-late5-cut3-stall9").failure, { kind: "cut", after: 3 });
  assert.deepEqual(parseModel("chat-stall4-late4").failure, { kind: "stall", after: 4 });
});

test("an unknown word is a model that does not exist, and is named", () => {
  for (const [name, word] of [
    ["gpt-4o-mini", "4o"],
    ["chat-lat", "lat"],
    ["chat-ping5", "ping5"],
    ["chat-lat-5", "lat"],
    ["chat-lat1.5", "lat1.5"],
    ["chat--ping", ""],
    ["chat-LAT5", "LAT5"],
    ["4o", "4o"],
    ["sim/sim/chat", "sim/chat"],
    ["constructor-toString", "toString"],
  ] as const) {
    const error = refusal(name);
    assert.equal(error.status, 404, name);
    assert.equal(error.detail.code, "model_not_found");
    assert.ok(error.message.includes(`\`${word}\``), error.message);
  }
});

test("numbers are bounded and words stand once", () => {
  for (const name of [
    "chat-lat600001",
    "chat-chunks100001",
    "chat-gap60001",
    "chat-split0",
    "chat-err399",
    "chat-err600",
    "chat-late100001",
    `chat-lat${"9".repeat(200)}`,
    "chat-lat5-lat6",
    "chat-ping-ping",
    "a".repeat(257),
  ]) {
    assert.equal(refusal(name).status, 400, name);
  }
  assert.equal(parseModel("chat-lat600000-chunks100000-gap60000").lat, 600_000);
});

test("the cache gives what parsing gives, also past its bound", () => {
  for (let i = 0; i < 2500; i++) assert.equal(modelSpec(`chat-lat${i}`).lat, i);
  assert.equal(modelSpec("chat-lat7"), modelSpec("chat-lat7"));
});
