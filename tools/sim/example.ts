import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";

// A schema may lead to itself.
const DEEPEST = 8;
// So many values at most, however a schema multiplies its lists.
const MOST_VALUES = 1000;
const MOST_ITEMS = 100;
const LONGEST = 1000;

const FORMATS: ReadonlyMap<string, string> = new Map([
  ["date-time", "2026-01-02T03:04:05Z"],
  ["date", "2026-01-02"],
  ["time", "03:04:05Z"],
  ["duration", "PT1H"],
  ["email", "ada@example.com"],
  ["hostname", "example.com"],
  ["ipv4", "192.0.2.1"],
  ["ipv6", "2001:db8::1"],
  ["uri", "https://example.com/"],
  ["uuid", "0190163d-8694-739b-aea5-966c26f8ad91"],
]);

/** What a property of that name usually holds, by the last word of its name. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["city", "Paris"],
  ["location", "Paris"],
  ["place", "Paris"],
  ["country", "France"],
  ["name", "Ada"],
  ["email", "ada@example.com"],
  ["url", "https://example.com/"],
  ["date", "2026-01-02"],
  ["language", "en"],
  ["currency", "EUR"],
  ["unit", "celsius"],
]);
/** Properties that repeat what the person said. */
const SAID: ReadonlySet<string> = new Set(["query", "question", "prompt", "text", "message", "input", "expression"]);

/** A value that fits a JSON Schema, for people to try things with: `said` is what the person said last. */
export function example(schema: unknown, said: string): unknown {
  return new Example(isObject(schema) ? schema : {}, said).value(schema, "", 0);
}

class Example {
  readonly #root: JsonObject;
  readonly #said: string;
  #values = 0;

  constructor(root: JsonObject, said: string) {
    this.#root = root;
    this.#said = said;
  }

  value(given: unknown, name: string, depth: number): unknown {
    this.#values += 1;
    const schema = this.#resolved(given);
    if (schema === null || depth > DEEPEST || this.#values > MOST_VALUES) return null;
    if ("const" in schema) return schema["const"];
    if ("default" in schema) return schema["default"];
    for (const key of ["examples", "enum"]) {
      const options = schema[key];
      if (Array.isArray(options) && options.length > 0) return options[0];
    }
    for (const key of ["anyOf", "oneOf"]) {
      const options = schema[key];
      if (Array.isArray(options) && options.length > 0) return this.value(simplest(options, depth), name, depth + 1);
    }
    return this.#typed(schema, name, depth);
  }

  #typed(schema: JsonObject, name: string, depth: number): unknown {
    switch (typeOf(schema)) {
      case "object":
        return this.#object(schema, depth);
      case "array": {
        const least = Math.max(whole(schema["minItems"]) ?? 1, 0);
        const count = Math.min(least, whole(schema["maxItems"]) ?? Infinity, MOST_ITEMS);
        const first = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"] : [];
        return Array.from({ length: Math.max(count, first.length) }, (_, i) =>
          this.value(first[i] ?? schema["items"], name, depth + 1),
        );
      }
      case "number":
      case "integer":
        return number(schema);
      case "boolean":
        return true;
      case "null":
        return null;
      default:
        return this.#text(schema, name);
    }
  }

  /** All properties; in the depths only those that must be there, or a schema that leads to itself would have no end. */
  #object(schema: JsonObject, depth: number): JsonObject {
    const properties = isObject(schema["properties"]) ? Object.entries(schema["properties"]) : [];
    const required: readonly unknown[] = Array.isArray(schema["required"]) ? schema["required"] : [];
    const wanted = depth < DEEPEST - 2 ? properties : properties.filter(([key]) => required.includes(key));
    return Object.fromEntries(wanted.map(([key, value]) => [key, this.value(value, key, depth + 1)]));
  }

  #text(schema: JsonObject, name: string): string {
    const format = typeof schema["format"] === "string" ? FORMATS.get(schema["format"]) : undefined;
    if (format !== undefined) return format;
    const last = name.toLowerCase().split(/[^a-z]/).at(-1) ?? "";
    const fitting = (SAID.has(last) && this.#said !== "" ? this.#said : NAMES.get(last)) ?? "sim";
    const least = Math.min(whole(schema["minLength"]) ?? 0, LONGEST);
    const most = Math.min(whole(schema["maxLength"]) ?? LONGEST, LONGEST);
    return Array.from(fitting.padEnd(least, "x")).slice(0, most).join("");
  }

  /** The schema that a `$ref` within the document leads to; null where there is none. */
  #resolved(given: unknown): JsonObject | null {
    let schema = given;
    for (let steps = 0; isObject(schema) && typeof schema["$ref"] === "string"; steps++) {
      const ref: string = schema["$ref"];
      if (steps > DEEPEST || !ref.startsWith("#")) return null;
      const parts = ref.slice(1).split("/").filter((part) => part !== "");
      schema = parts.reduce<unknown>((at, part) => own(at, decodeURIComponent(part)), this.#root);
    }
    if (!isObject(schema)) return null;
    const all = schema["allOf"];
    if (!Array.isArray(all)) return schema;
    return all.reduce<JsonObject>((sum, part) => joined(sum, this.#resolved(part) ?? {}), { ...schema, allOf: null });
  }
}

/** Of several, the first; in the depths one that leads no deeper, where there is one. */
function simplest(options: readonly unknown[], depth: number): unknown {
  const flat = options.find((option) => isObject(option) && !("$ref" in option) && typeOf(option) !== "object");
  return depth < DEEPEST - 3 ? options[0] : (flat ?? options[0]);
}

function typeOf(schema: JsonObject): unknown {
  const type = schema["type"];
  if (type !== undefined) return Array.isArray(type) ? type[0] : type;
  return "properties" in schema ? "object" : "items" in schema ? "array" : "string";
}

/** Within the bounds, and a multiple of what it must be one of. */
function number(schema: JsonObject): number {
  const integer = typeOf(schema) === "integer";
  const bound = (key: string, exclusive: string, step: number): number | null => {
    const open = real(schema[exclusive]);
    return open === null ? real(schema[key]) : open + step;
  };
  const step = real(schema["multipleOf"]) ?? (integer ? 1 : 0);
  const least = bound("minimum", "exclusiveMinimum", step || 0.5);
  const most = bound("maximum", "exclusiveMaximum", -(step || 0.5));
  const wanted = Math.min(Math.max(1, least ?? -Infinity), most ?? Infinity);
  if (step <= 0) return wanted;
  const up = Math.ceil(wanted / step) * step;
  return most !== null && up > most ? Math.floor(most / step) * step : up;
}

function joined(a: JsonObject, b: JsonObject): JsonObject {
  const part = (schema: JsonObject, key: string) => (isObject(schema[key]) ? schema[key] : {});
  const list = (schema: JsonObject) => (Array.isArray(schema["required"]) ? schema["required"] : []);
  const properties = { ...part(a, "properties"), ...part(b, "properties") };
  return { ...a, ...b, properties, required: [...list(a), ...list(b)] };
}

function own(at: unknown, key: string): unknown {
  return isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
}

function real(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function whole(value: unknown): number | null {
  return typeof value === "number" && Number.isInteger(value) ? value : null;
}
