import type { Exchange } from "./exchange.ts";
import { modelSpec } from "./model.ts";

// Any other name that the grammar takes works as well.
const LISTED = [
  "chat",
  "chat-tools",
  "chat-nousage",
  "chat-lat50-chunks100-gap10",
  "chat-err429",
  "chat-late5",
  "chat-cut5",
  "chat-stall5",
  "embed",
] as const;

const CREATED = 1_735_689_600;

interface Model {
  readonly id: string;
  readonly object: "model";
  readonly created: number;
  readonly owned_by: string;
}

function describe(id: string): Model {
  return { id, object: "model", created: CREATED, owned_by: "sim" };
}

/** Answers `GET /v1/models`. */
export function listModels(exchange: Exchange): void {
  exchange.send(200, "application/json", JSON.stringify({ object: "list", data: LISTED.map(describe) }));
}

/** Answers `GET /v1/models/{id}` for every name that the grammar takes. */
export function getModel(exchange: Exchange, id: string): void {
  modelSpec(id);
  exchange.send(200, "application/json", JSON.stringify(describe(id)));
}
