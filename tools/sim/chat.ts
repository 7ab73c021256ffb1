import { admit, answer } from "./answer.ts";
import { chatRequest } from "./chat_request.ts";
import { completion } from "./completion.ts";
import type { Exchange } from "./exchange.ts";
import type { JsonObject } from "./json.ts";
import { plan } from "./reply.ts";
import { ChatStream } from "./stream.ts";

/** Answers `POST /v1/chat/completions`. */
export async function chat(exchange: Exchange, body: JsonObject): Promise<void> {
  const request = chatRequest(body);
  const { ticket } = exchange;
  const { spec } = request;
  ticket.model(request.model);
  ticket.streaming = request.stream;
  const refused = spec.err > 0 || (spec.failure?.kind === "late" && !request.stream);
  if (!refused) ticket.read(request.promptTokens);
  const reply = plan(request);
  // A whole answer comes when a stream would have ended.
  const wait = spec.lat + (request.stream || spec.err > 0 ? 0 : reply.chunks * spec.gap);
  if (!(await admit(exchange, spec, wait))) return;
  if (request.stream) return new ChatStream(exchange, request, reply).run();
  const whole = completion(request, reply, exchange.serial, Math.floor(Date.now() / 1000));
  await answer(exchange, spec, whole, reply.chunks * request.n);
}
