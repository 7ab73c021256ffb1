/**
 * OpenAI's own Node SDK in a page of another origin: each of its requests asks before, as a browser would (CORS), for
 * the headers that the SDK really sends. test_openai_node_sdk.py runs this, and sets HEADGATE_URL, BROWSER_KEY and PAGE.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this through pytest`);
  return value;
}

const page = setting("PAGE");
const messages = [{ role: "user" as const, content: "Say hello." }];
const parameters = { type: "object" as const, properties: {} };
const asked = new Set<string>();

function names(answer: Response, header: string): string[] {
  return (answer.headers.get(header) ?? "").toLowerCase().split(/ *, */);
}

/** What a browser does around `fetch`: it asks first, sends its origin, and lets the page read what the answer allows. */
async function fetchInAPage(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const headers = new Headers(init?.headers);
  const method = init?.method ?? "GET";
  const wanted = [...headers.keys()];
  for (const name of wanted) asked.add(name);
  const preflight = await fetch(input, {
    method: "OPTIONS",
    headers: {
      origin: page,
      "access-control-request-method": method,
      "access-control-request-headers": wanted.join(","),
    },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), page);
  assert.ok(names(preflight, "access-control-allow-methods").includes(method.toLowerCase()));
  const allowed = names(preflight, "access-control-allow-headers");
  assert.deepEqual(
    wanted.filter((name) => !allowed.includes(name)),
    [],
  );
  headers.set("origin", page);
  const answer = await fetch(input, { ...init, headers });
  assert.equal(answer.headers.get("access-control-allow-origin"), page);
  assert.ok(names(answer, "access-control-expose-headers").includes("x-should-retry"));
  return answer;
}

const client = new OpenAI({
  baseURL: `${setting("HEADGATE_URL")}/v1`,
  apiKey: setting("BROWSER_KEY"),
  organization: "org-1",
  project: "proj-1",
  defaultHeaders: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  dangerouslyAllowBrowser: true,
  maxRetries: 0,
  fetch: fetchInAPage,
});

test("create, stream, parse and runTools are let through with all that they send", async () => {
  const { data, response } = await client.chat.completions.create({ model: "sim/chat", messages }).withResponse();
  assert.equal(data.choices[0]?.finish_reason, "stop");
  assert.equal(response.status, 200);
  const streamed = await client.chat.completions.stream({ model: "sim/chat", messages }).finalChatCompletion();
  assert.equal(streamed.choices[0]?.finish_reason, "stop");
  const format = { type: "json_schema" as const, json_schema: { name: "x", schema: parameters } };
  await client.chat.completions
    .parse({ model: "sim/chat", messages, response_format: format })
    .catch((error: unknown) => assert.ok(!(error instanceof OpenAI.APIError))); // the answer may be no JSON
  const tool = { type: "function" as const, function: { name: "x", description: "", parameters, function: () => "y" } };
  await client.chat.completions.runTools({ model: "sim/chat", messages, tools: [tool] }).done();
  for (const name of ["authorization", "openai-organization", "traceparent", "user-agent", "x-stainless-helper-method"])
    assert.ok(asked.has(name), `the SDK sends ${name} no longer: ${[...asked].join(" ")}`);
});

test("a page can read which error it is", async () => {
  await assert.rejects(client.chat.completions.create({ model: "sim/chat", messages: 5 as never }), OpenAI.BadRequestError);
  await assert.rejects(client.responses.retrieve("x"), OpenAI.NotFoundError);
  const stranger = client.withOptions({ apiKey: "sk-somebody-elses" });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});
