import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { ApiError } from "./errors.ts";
import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";

const LARGEST = 10 * 1024 * 1024;

/** The whole body, or null when the client left while it was sending. Throws a 413 for more than 10 MB. */
async function readBytes(request: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    request.on("data", (part: Buffer) => {
      size += part.length;
      if (size <= LARGEST) parts.push(part);
      // Too much is read to its end and thrown away: a client that is still writing would not see the answer.
      else parts.length = 0;
    });
    request.on("end", () => {
      if (size <= LARGEST) resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts));
      else
        reject(new ApiError(413, { message: `The body is larger than ${LARGEST} bytes.`, code: "request_too_large" }));
    });
    request.on("close", () => resolve(null));
  });
}

/** Reads and parses a JSON object, or returns null when the client left. Throws a 400 or 413. */
export async function readBody(request: IncomingMessage): Promise<JsonObject | null> {
  const bytes = await readBytes(request);
  if (bytes === null) return null;
  const malformed = new ApiError(400, { message: "We could not parse the JSON body of your request." });
  // Node would put replacement characters for bytes that are no text, and hide a gateway's mistake.
  if (!isUtf8(bytes)) throw malformed;
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString());
  } catch {
    throw malformed;
  }
  if (!isObject(body)) throw malformed;
  return body;
}
