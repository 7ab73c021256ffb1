import { invalid } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { modelSpec } from "./model.ts";
import type { ModelSpec } from "./model.ts";

/** The field `model` and what it asks for. */
export function modelField(body: JsonObject): readonly [name: string, spec: ModelSpec] {
  const name = body["model"];
  if (typeof name !== "string" || name === "") throw invalid("model", "You must provide a model parameter.");
  return [name, modelSpec(name)];
}

/** An optional whole number within bounds; null when it is absent. */
export function integerField(body: JsonObject, key: string, least: number, most: number): number | null {
  const value = body[key] ?? null;
  if (value === null) return null;
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw invalid(key, `'${key}' must be a whole number from ${least} to ${most}.`);
  }
  return value;
}

/** An optional boolean; false when it is absent. */
export function booleanField(body: JsonObject, key: string, param: string = key): boolean {
  const value = body[key] ?? false;
  if (typeof value !== "boolean") throw invalid(param, `'${param}' must be a boolean.`);
  return value;
}
