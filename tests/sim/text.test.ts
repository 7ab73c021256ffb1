import assert from "node:assert/strict";
import { test } from "node:test";
import { encodedText, fullText, text } from "../../tools/sim/text.ts";

test("every chunk has a text, and the encoded form says the same", () => {
  for (let n = 0; n < 100; n++) {
    assert.ok(text(n).length >= 1);
    assert.equal(JSON.parse(encodedText(n)), text(n));
  }
});

test("the whole text is the chunks in order", () => {
  for (const chunks of [0, 1, 10, 23, 24, 100]) {
    assert.equal(fullText(chunks), Array.from({ length: chunks }, (_, n) => text(n)).join(""));
  }
});

test("ten chunks hold sequences of two, three and four bytes", () => {
  const sizes = new Set(Array.from(fullText(10), (character) => Buffer.byteLength(character)));
  assert.deepEqual([...sizes].sort(), [1, 2, 3, 4]);
});
