import { parseArgs } from "node:util";
import { Sim } from "./server.ts";

const USAGE = "usage: node tools/sim/main.ts [--port 0] [--host 127.0.0.1] [--key KEY] [--exit-with-stdin]";

function stop(message: string, code: number): never {
  console.error(message);
  process.exit(code);
}

function options() {
  try {
    return parseArgs({
      options: {
        port: { type: "string", default: "0" },
        host: { type: "string", default: "127.0.0.1" },
        key: { type: "string" },
        "exit-with-stdin": { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return stop(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`, 2);
  }
}

async function main(): Promise<void> {
  const { port, host, key, "exit-with-stdin": exitWithStdin } = options();
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) stop(`--port ${port} is no port\n${USAGE}`, 2);
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(0));
  // A parent that dies closes the pipe, however it dies.
  if (exitWithStdin) process.stdin.on("close", () => process.exit(0)).resume();
  const url = await new Sim({ key }).listen(Number(port), host);
  console.log(`sim ready on ${url}`);
}

main().catch((error: unknown) => stop(String(error), 1));
