// Run statements on a local D1 as one transaction, as `wrangler d1 execute --local` does: with the same miniflare, over
// the same files, and without the rest of wrangler, which is most of what a start costs.
//
// Usage: node tools/local_d1.ts FOLDER ID < STATEMENTS
//
// FOLDER is wrangler's --persist-to, ID the database's id, STATEMENTS a JSON array of texts. It prints the rows of each
// as JSON, or {"error": …} with SQLite's words, and then exits with 1.

import { text } from "node:stream/consumers";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const [folder, id] = process.argv.slice(2);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: "",
    resourcePersistencePath: `${folder}/v3`,
    d1Databases: { DATABASE: String(id) },
  }),
);
try {
  const statements: string[] = JSON.parse(await text(process.stdin));
  const database = await miniflare.getD1Database("DATABASE");
  const done = await database.batch(statements.map((statement) => database.prepare(statement)));
  console.log(JSON.stringify(done.map((one: { results: unknown[] }) => one.results)));
} catch (error) {
  const { cause, message } = error as Error;
  console.log(JSON.stringify({ error: cause instanceof Error ? cause.message : message }));
  process.exitCode = 1;
} finally {
  await miniflare.dispose();
}
