// Tells again and again what JavaScript holds in the Worker's isolate, in bytes, asked of workerd's inspector. What is no
// longer used is collected before: here nothing presses V8 to do so, as the limit does in production.
// Usage: node tools/heap.ts PORT

const port = Number(process.argv[2]);
const COLLECT = JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" });
const ASK = JSON.stringify({ id: 2, method: "Runtime.getHeapUsage" });
type Target = { id: string; webSocketDebuggerUrl: string };
type Told = { id?: number; result?: { usedSize: number; embedderHeapUsedSize: number; backingStorageSize: number } };

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function address(): Promise<string> {
  for (;;) {
    try {
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as Target[];
      const worker = targets.find((target) => target.id.startsWith("core:user:"));
      if (worker) return worker.webSocketDebuggerUrl;
    } catch {
      // The Worker is down: a soak kills it again and again.
    }
    await wait(500);
  }
}

for (;;) {
  const socket = new WebSocket(await address());
  socket.onopen = () => socket.send(COLLECT);
  socket.onmessage = async (event) => {
    const { id, result } = JSON.parse(String(event.data)) as Told;
    if (id === 1) socket.send(ASK);
    if (id !== 2 || !result) return;
    console.log(result.usedSize + result.embedderHeapUsedSize + result.backingStorageSize);
    await wait(3000);
    if (socket.readyState === WebSocket.OPEN) socket.send(COLLECT);
  };
  await new Promise<void>((resolve) => {
    socket.onclose = socket.onerror = () => resolve();
  });
  await wait(500);
}
