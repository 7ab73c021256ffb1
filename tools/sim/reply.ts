import type { ChatRequest } from "./chat_request.ts";
import { callArguments } from "./tools.ts";

/** What each choice of an answer is made of. All choices of one answer are alike. */
export interface Reply {
  /** Content chunks of one choice, which are also its tokens. */
  readonly chunks: number;
  readonly finish: "stop" | "length" | "tool_calls";
  readonly call: ToolCall | null;
  /** The text's parts, one a chunk, where it is to be JSON; null for the usual words. */
  readonly parts: readonly string[] | null;
}

/** A tool call whose arguments come in one fragment a chunk. */
export interface ToolCall {
  readonly name: string;
  readonly fragments: readonly string[];
}

/** Decides what a request gets. */
export function plan(request: ChatRequest): Reply {
  const call: ToolCall | null = request.tool && {
    name: request.tool.name,
    fragments: fragments(callArguments(request.tool, request.said), request.spec.chunks),
  };
  const json = call === null ? request.structured : null;
  const parts = json === null ? null : fragments(json, request.spec.chunks);
  const whole = (call?.fragments ?? parts)?.length ?? request.spec.chunks;
  const chunks = Math.min(whole, request.maxTokens);
  return { chunks, finish: chunks < whole ? "length" : call === null ? "stop" : "tool_calls", call, parts };
}

/** Cuts a text into `count` parts of about the same length, or fewer when it has fewer characters; at least one. */
function fragments(text: string, count: number): readonly string[] {
  const characters = Array.from(text);
  const parts = Math.max(1, Math.min(count, characters.length));
  const cut = (i: number): number => Math.round((i * characters.length) / parts);
  return Array.from({ length: parts }, (_, i) => characters.slice(cut(i), cut(i + 1)).join(""));
}
