/** What an OpenAI error body says. */
export interface ErrorDetail {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** An error that is answered to the client in OpenAI's shape. */
export class ApiError extends Error {
  readonly status: number;
  readonly detail: ErrorDetail;
  /** Extra response headers, name and value in turn. */
  readonly headers: readonly string[];

  constructor(
    status: number,
    detail: Partial<ErrorDetail> & { readonly message: string },
    headers: readonly string[] = [],
  ) {
    super(detail.message);
    this.status = status;
    this.detail = {
      message: detail.message,
      type: detail.type ?? "invalid_request_error",
      param: detail.param ?? null,
      code: detail.code ?? null,
    };
    this.headers = headers;
  }

  /** The JSON body. */
  get body(): string {
    return JSON.stringify({ error: this.detail });
  }
}

/** A field of the request that is missing or wrong. */
export function invalid(param: string, message: string): ApiError {
  return new ApiError(400, { message, param });
}

const KNOWN: ReadonlyMap<number, readonly [type: string, code: string | null]> = new Map([
  [401, ["invalid_request_error", "invalid_api_key"]],
  [403, ["invalid_request_error", "unsupported_country_region_territory"]],
  [404, ["invalid_request_error", "model_not_found"]],
  [429, ["requests", "rate_limit_exceeded"]],
  [503, ["server_error", "service_unavailable"]],
] as const);

/** The error that a model with the word `err<status>` answers. */
export function simulated(status: number): ApiError {
  const [type, code] = KNOWN.get(status) ?? [status < 500 ? "invalid_request_error" : "server_error", null];
  // Only these two tell the client when to come back.
  const headers = status === 429 || status === 503 ? ["retry-after", "1"] : [];
  return new ApiError(
    status,
    { message: `The simulated provider answers ${status}, as the model's name asks.`, type, code },
    headers,
  );
}

/** The error of a model with the word `late<n>`: its event in a stream, its body otherwise. */
export const LATE = new ApiError(500, {
  message: "The simulated provider failed late, as the model's name asks.",
  type: "server_error",
  code: "sim_late",
});
