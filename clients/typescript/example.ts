/** Keys and usage of an organisation, typed by headgate.d.ts. */
import { Headgate, HeadgateError } from "./client.ts";
import type { Key, KeyWithSecret, UsageLine } from "./headgate.d.ts";

/** All keys, page by page, newest first. */
export async function listKeys(headgate: Headgate, limit = 100): Promise<Key[]> {
  const keys: Key[] = [];
  let cursor: string | null | undefined;
  do {
    const { body } = await headgate.call("get", "/api/v1/keys", { query: cursor ? { cursor, limit } : { limit } });
    keys.push(...body.data);
    cursor = body.meta.next_cursor;
  } while (cursor);
  return keys;
}

/** What each model cost since a day (YYYY-MM-DD, UTC), in dollars. */
export async function costByModel(headgate: Headgate, from: string): Promise<Map<string, number>> {
  const { body } = await headgate.call("get", "/api/v1/usage", { query: { from, group_by: "model", limit: 100 } });
  return new Map(body.data.map((line: UsageLine) => [line.model ?? "", line.cost_nano_usd / 1e9]));
}

/** A key that may only chat. Its secret is told this once; sent again with the same `once`, it is told again. */
export async function makeChatKey(headgate: Headgate, name: string, once: string): Promise<KeyWithSecret> {
  const { body } = await headgate.call("post", "/api/v1/keys", {
    header: { "Idempotency-Key": once },
    body: { name, scopes: ["chat:write"] },
  });
  return body.data;
}

/** Changes a key's name, unless someone else has changed the key since we read it: then false. */
export async function renameKey(headgate: Headgate, id: string, name: string): Promise<boolean> {
  const { etag } = await headgate.call("get", "/api/v1/keys/{id}", { path: { id } });
  try {
    await headgate.call("patch", "/api/v1/keys/{id}", {
      path: { id },
      header: { "If-Match": etag ?? "" },
      body: { name },
    });
    return true;
  } catch (error) {
    if (error instanceof HeadgateError && error.status === 412) return false;
    throw error;
  }
}
