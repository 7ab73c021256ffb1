/**
 * The typed client of clients/typescript against Headgate. test_typescript_client.py runs this, and sets HEADGATE_URL
 * and HEADGATE_KEY.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Headgate, HeadgateError } from "../../clients/typescript/client.ts";
import { costByModel, listKeys, makeChatKey, renameKey } from "../../clients/typescript/example.ts";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this through pytest`);
  return value;
}

const headgate = new Headgate(setting("HEADGATE_URL"), setting("HEADGATE_KEY"));
const missing = { path: { id: "0".repeat(36) } };
const today = new Date().toISOString().slice(0, 10);

/** Returns what a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<HeadgateError> {
  const outcome = await call.then(
    () => assert.fail("it was not refused"),
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof HeadgateError);
  return outcome;
}

test("a key is made, once for one Idempotency-Key, and has the scopes that were asked for", async () => {
  const once = randomUUID();
  const key = await makeChatKey(headgate, "typed", once);

  assert.deepEqual(key.scopes, ["chat:write"]);
  assert.ok(key.secret.startsWith(key.prefix));
  assert.equal((await makeChatKey(headgate, "typed", once)).secret, key.secret);
});

test("all keys are listed, however many a page holds", async () => {
  const made = [await makeChatKey(headgate, "a", randomUUID()), await makeChatKey(headgate, "b", randomUUID())];
  const listed = await listKeys(headgate, 1);

  assert.deepEqual(listed.slice(0, 2).map((key) => key.id), made.map((key) => key.id).reverse());
  assert.ok(listed.length > 2); // with the key that we call with
});

test("a key is renamed where it is still the version that was read", async () => {
  const { id } = await makeChatKey(headgate, "before", randomUUID());

  assert.equal(await renameKey(headgate, id, "after"), true);
  assert.equal((await headgate.call("get", "/api/v1/keys/{id}", { path: { id } })).body.data.name, "after");
  const stale = { path: { id }, header: { "If-Match": '"1"' }, body: { name: "late" } };
  assert.equal((await refusal(headgate.call("patch", "/api/v1/keys/{id}", stale))).status, 412);
});

test("revoking a key gives no body", async () => {
  const { id } = await makeChatKey(headgate, "short", randomUUID());

  assert.equal((await headgate.call("delete", "/api/v1/keys/{id}", { path: { id } })).body, undefined);
});

test("a model's name may have a slash", async () => {
  const path = { id: `typed/${randomUUID()}` };
  const price = { input_nano_usd_per_token: 1, output_nano_usd_per_token: 2 };
  const body = { provider: "sim", upstream_model: "chat", price };
  const made = await headgate.call("put", "/api/v1/models/{id}", { path, body, header: { "If-None-Match": "*" } });

  assert.equal(made.body.data.id, path.id);
  assert.deepEqual((await headgate.call("get", "/api/v1/models/{id}", { path })).body.data, made.body.data);
  await headgate.call("delete", "/api/v1/models/{id}", { path });
});

test("usage is numbers by model", async () => {
  const chat = { model: "sim/chat", messages: [{ role: "user", content: "Hello." }] };
  const answer = await fetch(`${setting("HEADGATE_URL")}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${setting("HEADGATE_KEY")}`, "content-type": "application/json" },
    body: JSON.stringify(chat),
  });
  assert.equal(answer.status, 200);
  await answer.text();

  assert.equal(typeof (await costByModel(headgate, today)).get("sim/chat"), "number");
});

test("an error tells its code, what is wrong, and the request's id", async () => {
  const nothing = await refusal(headgate.call("get", "/api/v1/keys/{id}", missing));
  assert.deepEqual([nothing.status, nothing.code], [404, "not_found"]);
  assert.ok(nothing.requestId);
  assert.equal(nothing.retryAfter, null);

  const tooMany = await refusal(headgate.call("get", "/api/v1/keys", { query: { limit: 1000 } }));
  assert.equal(tooMany.status, 400);
  assert.deepEqual(tooMany.details.map((detail) => detail.field), ["limit"]);
  assert.equal((await refusal(new Headgate(setting("HEADGATE_URL"), "hg_x").call("get", "/api/v1/usage"))).status, 401);
});
