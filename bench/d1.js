/**
 * D1 for bare workerd: the service behind workerd's own `cloudflare-internal:d1-api`, on a Durable Object's SQLite.
 * `POST /execute-script` is the benchmark's own: it runs a whole SQL script (migrations, seed). So are `GET /rows` and
 * `GET /written`: how many rows all statements have read, and have written.
 */
import { DurableObject } from "cloudflare:workers";

// Here, since the object is put away when nothing asks it for some seconds.
let read = 0;
let written = 0;

export class Database extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    try {
      if (pathname === "/execute-script") {
        this.ctx.storage.sql.exec(await request.text());
        return new Response("done\n");
      }
      if (pathname === "/rows") return Response.json(read);
      if (pathname === "/written") return Response.json(written);
      const asked = await request.json();
      const queries = Array.isArray(asked) ? asked : [asked];
      return Response.json(this.ctx.storage.transactionSync(() => queries.map((query) => this.#run(query))));
    } catch (error) {
      return Response.json({ success: false, error: error.message }, { status: 500 });
    }
  }

  #run({ sql, params }) {
    const before = this.#changes();
    const cursor = this.ctx.storage.sql.exec(sql, ...(params ?? []));
    const results = { columns: cursor.columnNames, rows: [...cursor.raw()] };
    read += cursor.rowsRead;
    written += cursor.rowsWritten;
    return { success: true, results, meta: { changes: this.#changes() - before, duration: 0 } };
  }

  #changes() {
    return this.ctx.storage.sql.exec("SELECT total_changes() AS total").one().total;
  }
}

export default {
  fetch(request, env) {
    return env.DATABASE.getByName("bench").fetch(request);
  },
};
