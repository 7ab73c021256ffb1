import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { refuse } from "./answer.ts";
import { authorize } from "./auth.ts";
import { readBody } from "./body.ts";
import { chat } from "./chat.ts";
import { embeddings } from "./embeddings.ts";
import { ApiError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import type { JsonObject } from "./json.ts";
import { getModel, listModels } from "./models.ts";
import { Stats } from "./stats.ts";

/** How a simulator is set up. */
export interface SimOptions {
  /** The one key that is taken; any is when absent. */
  readonly key?: string | undefined;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly run: (exchange: Exchange, body: JsonObject) => void | Promise<void>;
}

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/v1/chat/completions", { method: "POST", run: chat }],
  ["/v1/embeddings", { method: "POST", run: embeddings }],
  ["/v1/models", { method: "GET", run: listModels }],
]);
const MODEL = "/v1/models/";

function route(method: string, path: string): Route {
  const found = path.startsWith(MODEL) ? modelRoute(path) : ROUTES.get(path);
  if (found === undefined) throw new ApiError(404, { message: `Invalid URL (${method} ${path})` });
  if (found.method === method) return found;
  const message = `Not allowed to ${method} on ${path}. (HINT: Perhaps you meant ${found.method}?)`;
  throw new ApiError(405, { message, code: "method_not_supported" }, ["allow", found.method]);
}

function modelRoute(path: string): Route | undefined {
  try {
    const id = decodeURIComponent(path.slice(MODEL.length));
    return { method: "GET", run: (exchange) => getModel(exchange, id) };
  } catch {
    return undefined;
  }
}

/** A simulated provider. */
export class Sim {
  readonly stats = new Stats();
  readonly #server: Server;
  readonly #key: string | undefined;
  #serial = 0;

  constructor(options: SimOptions = {}) {
    this.#key = options.key;
    this.#server = createServer({ noDelay: true, keepAliveTimeout: 120_000 }, (request, response) =>
      this.#take(request, response),
    );
  }

  /** Listens, and returns the base address. Port 0 takes any that is free. */
  async listen(port = 0, host = "127.0.0.1"): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen({ port, host, backlog: 4096 }, resolve);
    });
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  }

  /** Stops, and drops every connection. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "" } = request;
    const query = url.indexOf("?");
    const path = query === -1 ? url : url.slice(0, query);
    if (path === "/__stats" || path === "/__reset") return this.#control(method, path, response);
    const ticket = this.stats.begin({ method, path, headers: request.headers, body: null });
    const exchange = new Exchange(request, response, ticket, ++this.#serial);
    this.#answer(exchange, method, path).catch((error: unknown) => this.#failed(exchange, error));
  }

  async #answer(exchange: Exchange, method: string, path: string): Promise<void> {
    const { run, method: expected } = route(method, path);
    if (!authorize(exchange.request.headers.authorization, this.#key)) {
      this.stats.unauthorized();
      throw new ApiError(401, { message: "Incorrect or missing API key.", code: "invalid_api_key" });
    }
    const body = expected === "POST" ? await readBody(exchange.request) : {};
    if (body === null) return;
    if (expected === "POST") exchange.ticket.body(body);
    await run(exchange, body);
  }

  #failed(exchange: Exchange, error: unknown): void {
    const known = error instanceof ApiError;
    if (!known) console.error(error);
    if (exchange.gone) return;
    if (exchange.response.headersSent) exchange.response.destroy();
    else
      refuse(
        exchange,
        known ? error : new ApiError(500, { message: "The simulator has a bug.", type: "server_error" }),
      );
  }

  /** The two control routes are not counted and need no key. */
  #control(method: string, path: string, response: ServerResponse): void {
    if (path === "/__stats" && method === "GET") {
      response.writeHead(200, ["content-type", "application/json"]).end(JSON.stringify(this.stats.report()));
    } else if (path === "/__reset" && method === "POST") {
      this.stats.reset();
      response.writeHead(204).end();
    } else {
      response.writeHead(405, ["allow", path === "/__stats" ? "GET" : "POST"]).end();
    }
  }
}
