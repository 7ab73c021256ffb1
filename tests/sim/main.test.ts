import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { prompt } from "./harness.ts";

const MAIN = join(import.meta.dirname, "../../tools/sim/main.ts");

async function run(t: TestContext, ...args: string[]): Promise<readonly [child: ChildProcess, line: string]> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return [child, line.toString()];
}

test("it says in one line where it listens, and ends at SIGTERM and SIGINT", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const [child, line] = await run(t);
    const url = /^sim ready on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(line)?.[1];
    assert.equal((await fetch(`${url}/__stats`)).status, 200);
    child.kill(signal);
    assert.deepEqual(await once(child, "exit"), [0, null]);
  }
});

test("it ends with its parent when told so, even under way", async (t) => {
  const [child, line] = await run(t, "--exit-with-stdin");
  const url = line.trim().slice("sim ready on ".length);
  const body = JSON.stringify(prompt("chat-stall1", { stream: true }));
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer k" },
    body,
  });
  child.stdin?.end();
  assert.deepEqual(await once(child, "exit"), [0, null]);
  await assert.rejects(response.text());
});

test("wrong options are refused", async () => {
  for (const args of [["--port", "x"], ["--port", "70000"], ["--nothing"]]) {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
    assert.deepEqual(await once(child, "exit"), [2, null]);
  }
});
