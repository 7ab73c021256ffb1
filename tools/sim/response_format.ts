import { invalid } from "./errors.ts";
import { example } from "./example.ts";
import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";

const FORM = "response_format";

/** The JSON that an answer is to be, as `response_format` asks; null where it may be any text. */
export function structured(body: JsonObject, said: string, messages: readonly JsonObject[]): string | null {
  const format = body[FORM] ?? null;
  if (format === null) return null;
  if (!isObject(format)) throw invalid(FORM, `'${FORM}' must be an object.`);
  switch (format["type"]) {
    case "text":
      return null;
    case "json_object":
      // As OpenAI asks: without a word about it, its models may answer blanks without an end.
      if (!/json/i.test(JSON.stringify(messages)))
        throw invalid(
          "messages",
          "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        );
      return JSON.stringify({ answer: "sim", question: said });
    case "json_schema":
      return JSON.stringify(example(schemaOf(format["json_schema"]), said));
    default:
      throw invalid(
        `${FORM}.type`,
        `Invalid value: '${String(format["type"])}'. Supported values are: 'json_object', 'json_schema', and 'text'.`,
      );
  }
}

function schemaOf(given: unknown): JsonObject {
  if (!isObject(given)) throw invalid(`${FORM}.json_schema`, `Missing required parameter: '${FORM}.json_schema'.`);
  if (typeof given["name"] !== "string" || !/^[\w-]{1,64}$/.test(given["name"]))
    throw invalid(`${FORM}.json_schema.name`, `'${FORM}.json_schema.name' must be 1 to 64 of a-z, A-Z, 0-9, _ and -.`);
  const schema = given["schema"] ?? {};
  if (!isObject(schema)) throw invalid(`${FORM}.json_schema.schema`, `'${FORM}.json_schema.schema' must be an object.`);
  if (given["strict"] === true && schema["type"] !== "object")
    throw invalid(
      FORM,
      `Invalid schema for ${FORM} '${given["name"]}': schema must be a JSON Schema of 'type: "object"'.`,
    );
  return schema;
}
