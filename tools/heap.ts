// Tells every second what JavaScript holds in the Worker's isolate, in bytes, asked of workerd's inspector. What is no
// longer used is part of it until V8 collects it: the inspector's own `collectGarbage` is never answered by workerd.
// Usage: node tools/heap.ts PORT [SERVICE]; the service is wrangler's unless another is named.

const port = Number(process.argv[2]);
const service = process.argv[3] ?? "core:user:";
const ASK = JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" });
type Target = { id: string; webSocketDebuggerUrl: string };
type Told = { id?: number; result?: { usedSize: number; embedderHeapUsedSize: number; backingStorageSize: number } };

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function address(): Promise<string> {
  for (;;) {
    try {
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as Target[];
      const worker = targets.find((target) => target.id.startsWith(service));
      if (worker) return worker.webSocketDebuggerUrl;
    } catch {
      // The Worker is down: a soak kills it again and again.
    }
    await wait(500);
  }
}

for (;;) {
  const socket = new WebSocket(await address());
  socket.onopen = () => socket.send(ASK);
  socket.onmessage = async (event) => {
    const { id, result } = JSON.parse(String(event.data)) as Told;
    if (id !== 1 || !result) return;
    console.log(result.usedSize + result.embedderHeapUsedSize + result.backingStorageSize);
    await wait(1000);
    if (socket.readyState === WebSocket.OPEN) socket.send(ASK);
  };
  await new Promise<void>((resolve) => {
    socket.onclose = socket.onerror = () => resolve();
  });
  await wait(500);
}
