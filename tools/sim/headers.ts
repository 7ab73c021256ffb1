// The limits are figures that never bind; they are here because clients and gateways read them.
const CONSTANT: readonly string[] = [
  "openai-version",
  "2020-10-01",
  "openai-organization",
  "sim",
  "x-ratelimit-limit-requests",
  "10000",
  "x-ratelimit-limit-tokens",
  "2000000",
  "x-ratelimit-remaining-requests",
  "9999",
  "x-ratelimit-remaining-tokens",
  "1999990",
  "x-ratelimit-reset-requests",
  "6ms",
  "x-ratelimit-reset-tokens",
  "0s",
];

/** The headers of every answer, name and value in turn, which is the form that Node writes fastest. */
export function headers(serial: number, elapsed: number, extra: readonly string[]): string[] {
  return [...extra, "x-request-id", `req_sim_${serial}`, "openai-processing-ms", String(elapsed), ...CONSTANT];
}
