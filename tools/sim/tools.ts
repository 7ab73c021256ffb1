import { invalid } from "./errors.ts";
import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** A function that the client offers. */
export interface Tool {
  readonly name: string;
  readonly parameters: unknown;
}

const DEEPEST = 8;

/** The function to call: the one that `tool_choice` names, else the first; null for none or `"none"`. */
export function chosenTool(body: JsonObject): Tool | null {
  const tools = offeredTools(body);
  const choice = body["tool_choice"] ?? "auto";
  if (choice === "none") return null;
  if (!isObject(choice) || !isObject(choice["function"])) return tools[0] ?? null;
  const name = choice["function"]["name"];
  const chosen = tools.find((tool) => tool.name === name);
  if (chosen === undefined)
    throw invalid("tool_choice", `Tool choice '${String(name)}' not found in 'tools' parameter.`);
  return chosen;
}

function offeredTools(body: JsonObject): readonly Tool[] {
  const tools = body["tools"] ?? [];
  if (!Array.isArray(tools)) throw invalid("tools", "'tools' must be an array.");
  return tools.flatMap((tool: unknown, i) => {
    if (!isObject(tool) || typeof tool["type"] !== "string")
      throw invalid(`tools[${i}]`, `'tools[${i}]' must have a type.`);
    // Tools of other types are legal and never called here.
    if (tool["type"] !== "function") return [];
    const definition = tool["function"];
    if (!isObject(definition) || typeof definition["name"] !== "string") {
      throw invalid(`tools[${i}].function`, `'tools[${i}].function' must have a name.`);
    }
    return [{ name: definition["name"], parameters: definition["parameters"] }];
  });
}

/** The arguments of a call as JSON: a trivial value for every property of the tool's schema. */
export function callArguments(tool: Tool): string {
  const schema = isObject(tool.parameters) ? tool.parameters : {};
  return JSON.stringify(example({ ...schema, type: "object" }, 0));
}

function example(schema: unknown, depth: number): unknown {
  if (!isObject(schema) || depth > DEEPEST) return null;
  if ("const" in schema) return schema["const"];
  for (const key of ["enum", "anyOf", "oneOf"]) {
    const options = schema[key];
    if (Array.isArray(options) && options.length > 0)
      return key === "enum" ? options[0] : example(options[0], depth + 1);
  }
  const type = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"];
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  switch (type) {
    case "object":
      return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, example(value, depth + 1)]));
    case "array":
      return [example(schema["items"], depth + 1)];
    case "number":
    case "integer":
      return 1;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return "sim";
  }
}
