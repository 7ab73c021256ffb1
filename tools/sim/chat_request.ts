import { invalid } from "./errors.ts";
import { booleanField, integerField, modelField } from "./fields.ts";
import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import type { ModelSpec } from "./model.ts";
import { structured } from "./response_format.ts";
import { chosenTool } from "./tools.ts";
import type { Tool } from "./tools.ts";

/** A chat completion request, checked. */
export interface ChatRequest {
  /** The model's name as it was received, which the answer repeats. */
  readonly model: string;
  readonly spec: ModelSpec;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly n: number;
  readonly maxTokens: number;
  readonly promptTokens: number;
  /** The tool to call; null answers with text. */
  readonly tool: Tool | null;
  /** The JSON that the text is to be; null for the usual words. */
  readonly structured: string | null;
  /** What the person said last; empty where that is no text. */
  readonly said: string;
}

/** Checks a body. Throws a 400 that names the field, or what the model's name throws. */
export function chatRequest(body: JsonObject): ChatRequest {
  const [model, spec] = modelField(body);
  const messages = messagesField(body);
  const stream = booleanField(body, "stream");
  const limit = integerField(body, "max_completion_tokens", 1, Number.MAX_SAFE_INTEGER);
  const oldLimit = integerField(body, "max_tokens", 1, Number.MAX_SAFE_INTEGER);
  const choice = chosenTool(body);
  const said = lastSaid(messages);
  return {
    model,
    spec,
    stream,
    includeUsage: streamUsage(body, stream) && !spec.nousage,
    n: integerField(body, "n", 1, 128) ?? 1,
    maxTokens: limit ?? oldLimit ?? Infinity,
    promptTokens: promptTokens(messages),
    // The result of a tool is answered with text, or a client that runs tools would never end.
    tool: (spec.tools || choice.required) && messages.at(-1)?.["role"] !== "tool" ? choice.tool : null,
    structured: structured(body, said, messages),
    said,
  };
}

function messagesField(body: JsonObject): readonly JsonObject[] {
  const messages = body["messages"];
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid("messages", "'messages' must be a non-empty array.");
  return messages.map((message: unknown, i) => {
    if (!isObject(message)) throw invalid(`messages[${i}]`, `'messages[${i}]' must be an object.`);
    if (typeof message["role"] !== "string")
      throw invalid(`messages[${i}].role`, `'messages[${i}].role' must be a string.`);
    const content = message["content"] ?? null;
    if (content !== null && typeof content !== "string" && !(Array.isArray(content) && content.every(isObject))) {
      throw invalid(`messages[${i}].content`, `'messages[${i}].content' must be a string or an array of objects.`);
    }
    return message;
  });
}

function streamUsage(body: JsonObject, stream: boolean): boolean {
  const options = body["stream_options"] ?? null;
  if (options === null) return false;
  if (!stream)
    throw invalid("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
  if (!isObject(options)) throw invalid("stream_options", "'stream_options' must be an object.");
  return booleanField(options, "include_usage", "stream_options.include_usage");
}

/**
 * A quarter of the bytes of the texts, and three for each message. This stays below the bytes of the messages' JSON,
 * since the shortest message, `{"role":""}`, has eleven.
 */
function promptTokens(messages: readonly JsonObject[]): number {
  const bytes = messages.reduce((sum, message) => sum + textBytes(message["content"]), 0);
  return Math.ceil(bytes / 4) + 3 * messages.length;
}

const LONGEST_SAID = 200;

function lastSaid(messages: readonly JsonObject[]): string {
  const content = messages.findLast((message) => message["role"] === "user")?.["content"];
  const first: unknown = Array.isArray(content) ? content.find((part) => typeof part["text"] === "string") : null;
  const text = isObject(first) ? first["text"] : content;
  return typeof text === "string" ? Array.from(text.slice(0, 2 * LONGEST_SAID)).slice(0, LONGEST_SAID).join("") : "";
}

function textBytes(content: unknown): number {
  if (typeof content === "string") return Buffer.byteLength(content);
  if (!Array.isArray(content)) return 0;
  return content.reduce((sum: number, part: JsonObject) => sum + textBytes(part["text"]), 0);
}
