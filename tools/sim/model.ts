import { ApiError } from "./errors.ts";

/** How an answer goes wrong once it has begun. */
export interface Failure {
  readonly kind: "late" | "cut" | "stall";
  /** Content chunks that are sent before it happens. */
  readonly after: number;
}

/** What a model's name asks for. */
export interface ModelSpec {
  readonly family: string;
  readonly lat: number;
  readonly chunks: number;
  readonly gap: number;
  /** Bytes per write; 0 writes everything as it comes. */
  readonly split: number;
  /** The status to refuse with; 0 answers. */
  readonly err: number;
  readonly failure: Failure | null;
  readonly each: boolean;
  readonly ping: boolean;
  readonly nousage: boolean;
  readonly tools: boolean;
}

const RANGES: ReadonlyMap<string, readonly [least: number, most: number]> = new Map([
  ["lat", [0, 600_000]],
  ["chunks", [0, 100_000]],
  ["gap", [0, 60_000]],
  ["split", [1, 1_000_000]],
  ["err", [400, 599]],
  ["late", [0, 100_000]],
  ["cut", [0, 100_000]],
  ["stall", [0, 100_000]],
] as const);
const FLAGS: ReadonlySet<string> = new Set(["each", "ping", "nousage", "tools"]);
const LONGEST_NAME = 256;

function unknown(name: string, why: string): ApiError {
  return new ApiError(404, {
    message: `The model \`${name}\` does not exist: ${why}.`,
    param: "model",
    code: "model_not_found",
  });
}

function wrong(name: string, why: string): ApiError {
  return new ApiError(400, {
    message: `The model name \`${name}\` is not valid: ${why}.`,
    param: "model",
    code: "invalid_model_name",
  });
}

function readWords(name: string, words: readonly string[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const word of words) {
    const [, key = "", digits = ""] = /^([a-z]+)(\d*)$/.exec(word) ?? [];
    const range = digits === "" ? undefined : RANGES.get(key);
    if (range === undefined && !(digits === "" && FLAGS.has(key)))
      throw unknown(name, `there is no option word \`${word}\``);
    if (found.has(key)) throw wrong(name, `\`${key}\` stands twice`);
    const value = Number(digits);
    if (range !== undefined && (value < range[0] || value > range[1])) {
      throw wrong(name, `\`${word}\` is outside ${range[0]} to ${range[1]}`);
    }
    found.set(key, value);
  }
  return found;
}

/** The failure that comes first; of two at the same place, the one that the name has first. */
function firstFailure(found: ReadonlyMap<string, number>): Failure | null {
  let first: Failure | null = null;
  for (const [kind, after] of found) {
    if (kind !== "late" && kind !== "cut" && kind !== "stall") continue;
    if (first === null || after < first.after) first = { kind, after };
  }
  return first;
}

/** Reads a model's name. Throws a 404 for a word it does not know and a 400 for a number that is out of bounds. */
export function parseModel(name: string): ModelSpec {
  if (name.length > LONGEST_NAME) throw wrong(`${name.slice(0, 32)}…`, `it has more than ${LONGEST_NAME} characters`);
  const [family = "", ...words] = name.replace(/^sim\//, "").split("-");
  if (!/^[a-z]+$/i.test(family)) throw unknown(name, `\`${family}\` is no family of models`);
  const found = readWords(name, words);
  return {
    family,
    lat: found.get("lat") ?? 0,
    chunks: found.get("chunks") ?? 10,
    gap: found.get("gap") ?? 0,
    split: found.get("split") ?? 0,
    err: found.get("err") ?? 0,
    failure: firstFailure(found),
    each: found.has("each"),
    ping: found.has("ping"),
    nousage: found.has("nousage"),
    tools: found.has("tools"),
  };
}

const CACHE_SIZE = 1000;
const cache = new Map<string, ModelSpec>();

/** `parseModel`, remembered. */
export function modelSpec(name: string): ModelSpec {
  const known = cache.get(name);
  if (known !== undefined) return known;
  const spec = parseModel(name);
  // Starting afresh is enough of a bound: a run uses a few dozen names.
  if (cache.size >= CACHE_SIZE) cache.clear();
  cache.set(name, spec);
  return spec;
}
