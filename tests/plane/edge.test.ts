import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, end, respond } from "../../src/lib/runtime/edge.mjs";

test("a request is kept alive from its begin to its end, and its line is written", async () => {
  const request = new Request("https://x.example/a?b=1", { method: "POST", headers: { "X-One": "1", "x-two": "é" } });
  const work: Promise<void>[] = [], lines: string[] = [], log = console.log;
  const told = JSON.parse(begin(request, { waitUntil: (promise) => work.push(promise) }));
  assert.deepEqual(told, ["POST", "https://x.example/a?b=1", { "x-one": "1", "x-two": "é" }]);
  const [first] = work;
  assert.equal(await Promise.race([first, Promise.resolve("under way")]), "under way");
  console.log = (line: string) => lines.push(line);
  try {
    end(request, "{}");
    end(request, "once more");
  } finally {
    console.log = log;
  }
  await first;
  assert.deepEqual(lines, ["{}", "once more"]);
});

test("an answer has its status, its headers and each of its cookies", async () => {
  const head = JSON.stringify([201, { "x-one": "1", "set-cookie": "a=1" }, ["b=2", "c=3"]]);
  const answer = respond("text", head);
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("x-one"), "1");
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2", "c=3"]);
  assert.equal(await answer.text(), "text");
  assert.equal(respond(null, JSON.stringify([204, {}, []])).body, null);
});

test("what the platform does not take is an error", () => {
  for (const head of [[99, {}, []], [200, { "no name": "1" }, []], [200, { a: "1\n2" }, []]]) {
    assert.throws(() => respond("", JSON.stringify(head)));
  }
});
