/**
 * What the types refuse. `tsc` fails here as soon as one of these mistakes is accepted: a line marked with
 * `@ts-expect-error` must have an error. Nothing of this runs.
 */
import type { Headgate } from "./client.ts";
import type { CreateKey, Key, Scope, LedgerEntry } from "./headgate.d.ts";

export async function mistakes(headgate: Headgate): Promise<void> {
  // Names of fields in answers
  const { body: keys } = await headgate.call("get", "/api/v1/keys");
  // @ts-expect-error - it is `expires_at`
  keys.data[0]?.expiresAt;
  // @ts-expect-error - it may be null
  keys.data[0]?.expires_at.length;
  // @ts-expect-error - only a key that was just made has its secret
  keys.data[0]?.secret;
  // @ts-expect-error - a list is an array
  keys.data.id;
  const { body: usage } = await headgate.call("get", "/api/v1/usage");
  // @ts-expect-error - it is `cost_nano_usd`
  usage.data[0]?.cost;
  // @ts-expect-error - money is a number
  usage.data[0]?.cost_nano_usd.slice(1);
  const { body: nothing } = await headgate.call("delete", "/api/v1/keys/{id}", { path: { id: "x" } });
  // @ts-expect-error - 204 has no body
  nothing.data;

  // Scopes
  // @ts-expect-error - there is no such scope
  await headgate.call("post", "/api/v1/keys", { body: { name: "x", scopes: ["keys:delete"] } });
  // @ts-expect-error - a list, also of one
  await headgate.call("post", "/api/v1/keys", { body: { name: "x", scopes: "chat:write" } });

  // Bodies
  // @ts-expect-error - a key to make needs a body
  await headgate.call("post", "/api/v1/keys");
  // @ts-expect-error - and a name in it
  await headgate.call("post", "/api/v1/keys", { body: {} });
  // @ts-expect-error - a field that Headgate would refuse
  await headgate.call("post", "/api/v1/keys", { body: { name: "x", colour: "red" } });
  // @ts-expect-error - a list has no body
  await headgate.call("get", "/api/v1/keys", { body: { name: "x" } });

  // Paths, parameters and headers
  // @ts-expect-error - there is no such path
  await headgate.call("get", "/api/v1/key");
  // @ts-expect-error - usage can't be written
  await headgate.call("post", "/api/v1/usage", {});
  // @ts-expect-error - which key?
  await headgate.call("get", "/api/v1/keys/{id}");
  // @ts-expect-error - the parameter's name is `id`
  await headgate.call("get", "/api/v1/keys/{id}", { path: { key: "x" } });
  // @ts-expect-error - a number
  await headgate.call("get", "/api/v1/keys", { query: { limit: "20" } });
  // @ts-expect-error - the first page has no cursor; null is none
  await headgate.call("get", "/api/v1/keys", { query: { cursor: null } });
  // @ts-expect-error - a change must say which version it changes
  await headgate.call("patch", "/api/v1/keys/{id}", { path: { id: "x" }, body: { name: "y" } });
}

// @ts-expect-error - not a scope
export const scope: Scope = "chat:read";
// @ts-expect-error - without a name
export const unnamed: CreateKey = { scopes: ["chat:write"] };
/** What is right must stay so: without `scopes`, and with a field that may be null. */
export const named: CreateKey = { name: "x", expires_at: null };
export const ends: Key["expires_at"] = null;
export const status: LedgerEntry["status"] = null;
// @ts-expect-error - a request always has a model
export const model: LedgerEntry["model"] = null;
