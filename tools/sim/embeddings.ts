import { admit, answer } from "./answer.ts";
import { invalid } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import { integerField, modelField } from "./fields.ts";
import type { JsonObject } from "./json.ts";
import { vector } from "./vector.ts";

type Input = string | readonly number[];

const MOST_INPUTS = 2048;
const MOST_DIMENSIONS = 4096;
const DIMENSIONS = 8;

/** Answers `POST /v1/embeddings`. */
export async function embeddings(exchange: Exchange, body: JsonObject): Promise<void> {
  const [model, spec] = modelField(body);
  const inputs = inputField(body);
  const dimensions = integerField(body, "dimensions", 1, MOST_DIMENSIONS) ?? DIMENSIONS;
  const format = body["encoding_format"] ?? "float";
  if (format !== "float" && format !== "base64")
    throw invalid("encoding_format", "'encoding_format' must be 'float' or 'base64'.");
  const tokens = inputs.reduce((sum, input) => sum + tokensOf(input), 0);
  exchange.ticket.model(model);
  if (spec.err === 0 && spec.failure?.kind !== "late") exchange.ticket.read(tokens);
  if (!(await admit(exchange, spec, spec.lat))) return;
  const data = inputs.map((input, index) => {
    const values = vector(typeof input === "string" ? input : input.join(","), dimensions);
    return { object: "embedding", index, embedding: format === "float" ? Array.from(values) : base64(values) };
  });
  const usage = spec.nousage ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } };
  await answer(exchange, spec, JSON.stringify({ object: "list", data, model, ...usage }), 0);
}

function inputField(body: JsonObject): readonly Input[] {
  const input = body["input"];
  const inputs: readonly unknown[] = Array.isArray(input) && !isTokens(input) ? input : [input];
  if (inputs.length === 0 || inputs.length > MOST_INPUTS || !inputs.every(isInput)) {
    throw invalid(
      "input",
      `'input' must be a non-empty string, an array of tokens, or an array of 1 to ${MOST_INPUTS} of these.`,
    );
  }
  return inputs;
}

function isInput(value: unknown): value is Input {
  return typeof value === "string" ? value !== "" : isTokens(value);
}

function isTokens(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((token) => Number.isInteger(token) && token >= 0);
}

function tokensOf(input: Input): number {
  return typeof input === "string" ? Math.ceil(Buffer.byteLength(input) / 4) : input.length;
}

/** The bytes of the 32-bit floats, least significant first, as OpenAI sends them. */
function base64(values: Float32Array): string {
  return Buffer.from(values.buffer).toString("base64");
}
