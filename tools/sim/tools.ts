import { invalid } from "./errors.ts";
import { example } from "./example.ts";
import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** A function that the client offers. */
export interface Tool {
  readonly name: string;
  readonly parameters: unknown;
}

/** What a client asks of a model that is offered tools: the one to call, and whether it must call it. */
export interface Choice {
  readonly tool: Tool | null;
  readonly required: boolean;
}

/** Reads `tools` and `tool_choice`. Of several tools that may be called it is the first; `tool` is null for none. */
export function chosenTool(body: JsonObject): Choice {
  const tools = offeredTools(body);
  const choice = body["tool_choice"] ?? null;
  if (choice !== null && !Array.isArray(body["tools"]))
    throw invalid("tool_choice", "'tool_choice' is only allowed when 'tools' are specified.");
  if (choice === null || choice === "auto") return { tool: tools[0] ?? null, required: false };
  if (choice === "none") return { tool: null, required: false };
  if (choice === "required") return { tool: tools[0] ?? null, required: true };
  if (isObject(choice) && choice["type"] === "function") return { tool: named(tools, choice), required: true };
  if (isObject(choice) && choice["type"] === "allowed_tools") return allowed(tools, choice["allowed_tools"]);
  if (isObject(choice) && choice["type"] === "custom") return { tool: null, required: false };
  throw invalid("tool_choice", "Invalid 'tool_choice'. Supported values are: 'none', 'auto', 'required', and a tool.");
}

function named(tools: readonly Tool[], choice: JsonObject): Tool {
  const wanted = isObject(choice["function"]) ? choice["function"]["name"] : undefined;
  const chosen = tools.find((tool) => tool.name === wanted);
  if (chosen === undefined)
    throw invalid("tool_choice", `Tool choice '${String(wanted)}' not found in 'tools' parameter.`);
  return chosen;
}

/** Only some of the tools, in the client's order. */
function allowed(tools: readonly Tool[], given: unknown): Choice {
  if (!isObject(given) || !Array.isArray(given["tools"]) || (given["mode"] !== "auto" && given["mode"] !== "required"))
    throw invalid("tool_choice.allowed_tools", "'tool_choice.allowed_tools' must have 'mode' and 'tools'.");
  const [first] = given["tools"].filter(isObject).filter((one) => one["type"] === "function");
  return { tool: first === undefined ? null : named(tools, first), required: given["mode"] === "required" };
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

/** The arguments of a call as JSON: a value that fits for every property of the tool's schema. */
export function callArguments(tool: Tool, said: string = ""): string {
  const schema = isObject(tool.parameters) ? tool.parameters : {};
  return JSON.stringify(example({ ...schema, type: "object" }, said));
}
