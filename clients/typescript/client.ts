/**
 * Headgate's management API through plain `fetch`, typed by headgate.d.ts: paths, parameters, bodies and answers.
 * No dependency; copy it with headgate.d.ts. For `/v1/…` take OpenAI's own SDK.
 */
import type { ErrorDetail, HeadgateErrorBody, paths } from "./headgate.d.ts";

type Method = "get" | "put" | "post" | "patch" | "delete";
type ManagementPath = Extract<keyof paths, `/api/v1/${string}`>;
/** The paths that know a method. */
export type PathOf<M extends Method> = {
  [P in ManagementPath]: paths[P] extends Record<M, object> ? P : never;
}[ManagementPath];

type BodyOf<Operation> = Operation extends { requestBody: { content: { "application/json": infer Body } } }
  ? { body: Body }
  : { body?: never };
type Placed<Operation> = Operation extends { parameters: infer Parameters }
  ? Pick<Parameters, Extract<keyof Parameters, "path" | "query" | "header">>
  : never;
/** What a call takes: `path`, `query` and `header` parameters, and the `body`. */
export type OptionsOf<Operation> = Placed<Operation> & BodyOf<Operation> & { signal?: AbortSignal };
type Arguments<Options> = Record<never, never> extends Options ? [options?: Options] : [options: Options];

type Json<Response> = Response extends { content: { "application/json": infer Body } } ? Body : undefined;
type Success<Responses> = { [Status in keyof Responses & (200 | 201 | 204)]: Json<Responses[Status]> };
/** The body of a success. */
export type AnswerOf<Operation> = Operation extends { responses: infer Responses }
  ? Success<Responses>[keyof Success<Responses>]
  : never;

/** A success: its body, and the version to send as `If-Match` with a change. */
export interface Answered<Body> {
  body: Body;
  etag: string | null;
}

/** Headgate refused, or something before it did. `code` is for programs, `message` for people. */
export class HeadgateError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: ErrorDetail[];
  readonly requestId: string | null;
  /** Seconds to wait before trying again, where Headgate said so. */
  readonly retryAfter: number | null;

  constructor(response: Response, error: Partial<HeadgateErrorBody["error"]> = {}) {
    super(error.message ?? `HTTP ${response.status}`);
    this.name = "HeadgateError";
    this.status = response.status;
    this.code = error.code ?? "unknown";
    this.details = error.details ?? [];
    this.requestId = error.request_id ?? response.headers.get("x-headgate-request-id");
    const seconds = response.headers.get("retry-after");
    this.retryAfter = seconds === null ? null : Number(seconds);
  }
}

interface Untyped {
  path?: Record<string, string>;
  query?: Record<string, string | number | boolean | undefined>;
  header?: Record<string, string | undefined>;
  body?: unknown;
  signal?: AbortSignal;
}

/** Calls one Headgate with one API key. */
export class Headgate {
  readonly #baseUrl: string;
  readonly #apiKey: string;

  constructor(baseUrl: string, apiKey: string) {
    this.#baseUrl = baseUrl;
    this.#apiKey = apiKey;
  }

  /** Throws HeadgateError for an answer that is no success, and what `fetch` throws where there is no answer. */
  async call<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    ...[options]: Arguments<OptionsOf<paths[P][M]>>
  ): Promise<Answered<AnswerOf<paths[P][M]>>> {
    const response = await this.#send(method, path, options ?? {});
    const text = await response.text();
    if (!response.ok) throw new HeadgateError(response, errorIn(text));
    const body = text === "" ? undefined : JSON.parse(text);
    return { body, etag: response.headers.get("etag") };
  }

  #send(method: Method, path: string, { path: places, query, header, body, signal }: Untyped): Promise<Response> {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(places?.[name] ?? ""));
    const url = new URL(filled, this.#baseUrl);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers = new Headers({ authorization: `Bearer ${this.#apiKey}` });
    for (const [name, value] of Object.entries(header ?? {})) if (value !== undefined) headers.set(name, value);
    if (body !== undefined) headers.set("content-type", "application/json");
    return fetch(url, {
      method: method.toUpperCase(), // `patch` in small letters would be another method
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  }
}

/** The error in an answer, or nothing where the answer is not Headgate's: a proxy's page, say. */
function errorIn(text: string): Partial<HeadgateErrorBody["error"]> | undefined {
  try {
    return (JSON.parse(text) as HeadgateErrorBody | null)?.error;
  } catch {
    return undefined;
  }
}
