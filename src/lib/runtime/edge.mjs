// The edge: what each request crosses between JavaScript and Python, in one crossing at its begin, its answer and its
// end. Each look at an object of the other side costs microseconds; one JSON text costs as much as one look.

/** @type {WeakMap<Request, () => void>} */
const underWay = new WeakMap();

/** Take a request up, and keep it alive until `end`, also when its client leaves at once.
 * @param {Request} request @param {{ waitUntil(work: Promise<void>): void }} context
 * @returns {string} JSON: its method, its address, and its headers, whose names are in lower case */
export function begin(request, context) {
  const { promise, resolve } = /** @type {PromiseWithResolvers<void>} */ (Promise.withResolvers());
  underWay.set(request, resolve);
  context.waitUntil(promise);
  return JSON.stringify([request.method, request.url, Object.fromEntries(request.headers)]);
}

/** Make an answer. Throws where the platform takes no such status, or no such header.
 * @param {string | Uint8Array<ArrayBuffer> | ReadableStream | null} body @param {string} head JSON: status, headers, and more values of `set-cookie` */
export function respond(body, head) {
  const [status, headers, cookies] = JSON.parse(head);
  const response = new Response(body, { status, headers });
  for (const cookie of cookies) response.headers.append("set-cookie", cookie);
  return response;
}

/** Write a request's line, and let go of it: nothing of it is left to do.
 * @param {Request} request @param {string} line */
export function end(request, line) {
  console.log(line);
  underWay.get(request)?.();
}
