/** The least that a gateway on Workers can be: what Headgate adds is measured against this. */
export default {
  async fetch(request, env) {
    const address = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.set("authorization", `Bearer ${env.SIM_API_KEY}`);
    headers.delete("host");
    const answer = await fetch(env.SIM_BASE_URL + address.pathname.replace(/^\/v1/, ""), {
      method: request.method,
      headers,
      body: request.body,
      redirect: "manual",
      signal: request.signal,
    });
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  },
};
