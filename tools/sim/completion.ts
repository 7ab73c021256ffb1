import type { ChatRequest } from "./chat_request.ts";
import type { Reply } from "./reply.ts";
import { fullText } from "./text.ts";
import { usage } from "./usage.ts";

/** The body of a chat completion that is sent whole. */
export function completion(request: ChatRequest, reply: Reply, serial: number, created: number): string {
  const choices = Array.from({ length: request.n }, (_, i) => {
    const said = message(reply, `call_sim${serial}_${i}`);
    return `{"index":${i},"message":${said},"logprobs":null,"finish_reason":"${reply.finish}"}`;
  });
  const used = request.spec.nousage ? "" : `"usage":${usage(request.promptTokens, reply.chunks * request.n)},`;
  return (
    `{"id":"chatcmpl-sim${serial}","object":"chat.completion","created":${created},` +
    `"model":${JSON.stringify(request.model)},"choices":[${choices.join(",")}],${used}"service_tier":"default","system_fingerprint":"fp_sim"}`
  );
}

function message({ call, chunks, parts }: Reply, id: string): string {
  const said = parts === null ? content(chunks) : JSON.stringify(parts.slice(0, chunks).join(""));
  if (call === null) return `{"role":"assistant","content":${said},"refusal":null,"annotations":[]}`;
  const made = JSON.stringify(call.fragments.slice(0, chunks).join(""));
  const called = `{"name":${JSON.stringify(call.name)},"arguments":${made}}`;
  const calls = `[{"id":"${id}","type":"function","function":${called}}]`;
  return `{"role":"assistant","content":null,"tool_calls":${calls},"refusal":null,"annotations":[]}`;
}

const CACHED = 1000;
const contents: string[] = [];

/** The encoded text of an answer; short ones are kept. */
function content(chunks: number): string {
  if (chunks > CACHED) return JSON.stringify(fullText(chunks));
  return (contents[chunks] ??= JSON.stringify(fullText(chunks)));
}
