import { at } from "./harness.ts";

/** The parsed data of every event but `[DONE]`, in order. */
export function events(body: Buffer | string): unknown[] {
  return datas(body)
    .filter((data) => data !== "[DONE]")
    .map((data) => JSON.parse(data) as unknown);
}

/** The data of every event as it was sent. */
export function datas(body: Buffer | string): string[] {
  const blocks = body.toString().split("\n\n").slice(0, -1);
  return blocks.filter((block) => block.startsWith("data: ")).map((block) => block.slice(6));
}

/** The events whose delta brings text, of one choice. */
export function contents(body: Buffer | string, index = 0): string[] {
  const found: string[] = [];
  for (const event of events(body)) {
    const content = at(event, "choices", 0, "delta", "content");
    if (at(event, "choices", 0, "index") === index && typeof content === "string" && content !== "")
      found.push(content);
  }
  return found;
}
