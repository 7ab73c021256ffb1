/**
 * The edge of `make dev`: what stands between clients and workerd, as Cloudflare's network does in production.
 *
 * workerd notices that a client has left only when the connection is reset. A client that closes its end in order sends
 * FIN, which workerd takes for a half-close and ignores until it next writes. Cloudflare's edge knows better and cancels
 * the request, so that `request.signal` fires; here this splice does it: FIN from the client becomes a reset.
 * `wrangler dev`'s own proxy can't, since it holds each request in a Durable Object until the answer begins.
 *
 * Usage: node tools/edge.ts --port PORT --to PORT [--exit-with-stdin]; prints `edge ready on http://127.0.0.1:PORT`.
 */
import net from "node:net";
import { parseArgs } from "node:util";

const HOST = "127.0.0.1";
/** How long to wait for workerd when it restarts after a change of the code. */
const RESTART_MS = 5_000;
const RETRY_MS = 50;

const { values } = parseArgs({
  options: { port: { type: "string" }, to: { type: "string" }, "exit-with-stdin": { type: "boolean", default: false } },
});
const workerPort = Number(values.to);

function splice(client: net.Socket): void {
  client.setNoDelay(true);
  client.pause(); // what it sends waits in the kernel until there is somewhere to send it
  client.on("error", () => {}); // its loss shows in "close"
  connect(client, Date.now() + RESTART_MS);
}

function connect(client: net.Socket, deadline: number): void {
  const worker = net.connect({ host: HOST, port: workerPort, noDelay: true, allowHalfOpen: true });
  let connected = false;
  worker.once("connect", () => {
    connected = true;
    client.on("end", () => worker.resetAndDestroy());
    client.on("close", () => worker.resetAndDestroy());
    worker.on("end", () => client.end());
    client.pipe(worker, { end: false });
    worker.pipe(client, { end: false });
  });
  worker.on("error", () => {
    if (connected || client.destroyed || Date.now() > deadline) client.resetAndDestroy();
    else setTimeout(() => connect(client, deadline), RETRY_MS);
  });
  worker.on("close", () => {
    // A worker that is gone without a word took the answer with it: the client must not take what it has for the whole.
    if (connected && !worker.readableEnded) client.resetAndDestroy();
  });
}

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, splice);
server.on("error", (error) => {
  console.error(`edge: ${error.message}`);
  process.exit(1);
});
server.listen(Number(values.port), HOST, () => {
  const address = server.address() as net.AddressInfo;
  console.log(`edge ready on http://${HOST}:${address.port}`);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
if (values["exit-with-stdin"]) {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}
