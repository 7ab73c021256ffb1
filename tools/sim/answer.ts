import { LATE, simulated } from "./errors.ts";
import type { ApiError } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { ModelSpec } from "./model.ts";
import { Writer } from "./writer.ts";

const JSON_TYPE = "application/json";

/** Answers an error at once. */
export function refuse(exchange: Exchange, error: ApiError): void {
  exchange.outcome = "errors";
  exchange.send(error.status, JSON_TYPE, error.body, error.headers);
}

/** Waits, and answers the error if the model's name asks for one. True when there is something left to answer. */
export async function admit(exchange: Exchange, spec: ModelSpec, ms: number): Promise<boolean> {
  if (!(await exchange.wait(ms))) return false;
  if (spec.err === 0) return true;
  await answerError(exchange, spec, simulated(spec.err));
  return false;
}

/** Answers a whole JSON body, in the pieces and with the failure that the model's name asks for. */
export async function answer(exchange: Exchange, spec: ModelSpec, body: string, tokens: number): Promise<void> {
  const { failure, split } = spec;
  if (failure?.kind === "late") return answerError(exchange, spec, LATE);
  if (failure === null && split === 0) {
    exchange.send(200, JSON_TYPE, body);
  } else {
    exchange.head(200, sized(body));
    if (failure === null) await inPieces(exchange, spec, body);
    else await half(exchange, spec, body, failure.kind === "cut");
  }
  // Nobody can read a token out of half a JSON text.
  if (failure === null && !exchange.gone) exchange.ticket.served(tokens);
}

async function answerError(exchange: Exchange, spec: ModelSpec, error: ApiError): Promise<void> {
  if (spec.split === 0) return refuse(exchange, error);
  exchange.outcome = "errors";
  exchange.head(error.status, [...sized(error.body), ...error.headers]);
  await inPieces(exchange, spec, error.body);
}

async function inPieces(exchange: Exchange, spec: ModelSpec, body: string): Promise<void> {
  const writer = new Writer(exchange, spec);
  writer.push(body, 0);
  await writer.end();
}

async function half(exchange: Exchange, spec: ModelSpec, body: string, cut: boolean): Promise<void> {
  const writer = new Writer(exchange, spec);
  if (cut) return writer.cut(body);
  writer.push(body.slice(0, body.length / 2), 0);
  if (await writer.flush()) await exchange.stall();
}

function sized(body: string): readonly string[] {
  return ["content-type", JSON_TYPE, "content-length", String(Buffer.byteLength(body))];
}
