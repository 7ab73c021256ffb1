"""The script of `/docs`: it filters what is shown, and sends requests to this deployment with the reader's own key.

The key stands in its field and nowhere else. What the reader's browser has of a session is not sent: a request is made
by the key alone, or by nobody. What comes back is shown as text.
"""

from __future__ import annotations

# Characters of an answer that are shown: an export can have gigabytes.
MOST_SHOWN = 500_000

SCRIPT = """
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const find = one("#find"), found = one("#found"), key = one("#key");
const entries = all("section > details").map(entry => ({entry, text: one("summary", entry).textContent.toLowerCase()}));

const look = () => {
  const words = find.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const {entry, text} of entries) entry.hidden = !words.every(word => text.includes(word));
  for (const section of all("section")) section.hidden = !one("details:not([hidden])", section);
  const count = entries.filter(({entry}) => !entry.hidden).length;
  found.value = words.length ? `${count} of ${entries.length}` : "";
};
const reveal = id => {
  const target = id && document.getElementById(id);
  if (!target) return;
  if (target.closest("[hidden]")) find.value = "";
  look();
  if (target.matches("details")) target.open = true;
};
const first = () => entries.find(({entry}) => !entry.hidden)?.entry;

find.addEventListener("input", look);
find.addEventListener("keydown", event => {
  if (event.key === "Escape") find.value = "";
  else if (event.key !== "Enter" && event.key !== "ArrowDown" || !first()) return;
  else {
    first().open ||= event.key === "Enter";
    one("summary", first()).focus();
  }
  event.preventDefault();
  look();
});
addEventListener("keydown", event => {
  const typing = event.target.matches?.("input, textarea") || event.ctrlKey || event.metaKey || event.altKey;
  if (event.key !== "/" || typing) return;
  event.preventDefault();
  find.focus();
  find.select();
});
addEventListener("click", event => reveal(event.target.closest?.("a[href^='#']")?.hash.slice(1)));
addEventListener("pagehide", () => key.value = "");

const request = form => {
  const {method, path, type, key: keyed} = form.dataset, headers = new Headers(), query = new URLSearchParams();
  let address = path, body;
  if (keyed && key.value.trim()) headers.set("authorization", `Bearer ${key.value.trim()}`);
  for (const {dataset, value} of all("[data-in]", form)) {
    // A browser would take it for a step up, and another thing's address.
    if (dataset.in === "path" && /^\\.\\.?$/.test(value)) throw new Error(`${dataset.name} can't be ${value}`);
    if (dataset.in === "path") address = address.replace(`{${dataset.name}}`, () => encodeURIComponent(value));
    else if (dataset.in === "body") body = type.endsWith("json") ? value : new URLSearchParams(JSON.parse(value));
    else if (value) (dataset.in === "query" ? query : headers).append(dataset.name, value);
  }
  if (type) headers.set("content-type", type);
  const safe = {credentials: "omit", redirect: "manual", cache: "no-store", referrerPolicy: "no-referrer"};
  return [`${address}?${query}`.replace(/\\?$/, ""), {method, headers, body, ...safe}];
};
const send = async (form, signal, told, shown) => {
  const [address, options] = request(form), begun = performance.now();
  const answer = await fetch(address, {...options, signal});
  const told_of = one("main").dataset.headers.split(", ").filter(name => answer.headers.has(name));
  told.value = answer.type === "opaqueredirect" ? "It leads on to another page (3xx)." : [
    `${answer.status} ${answer.statusText}`.trim() + `, ${Math.round(performance.now() - begun)} ms`,
    ...told_of.map(name => `${name}: ${answer.headers.get(name)}`),
  ].join("\\n");
  const decoder = new TextDecoder(), reader = answer.body?.getReader();
  let text = "";
  for (let piece; reader && !(piece = await reader.read()).done;) {
    const more = decoder.decode(piece.value, {stream: true});
    shown.hidden = false;
    shown.append(more.slice(0, MOST_SHOWN - text.length));
    text += more;
    if (text.length < MOST_SHOWN) continue;
    await reader.cancel();
    told.value += "\\nThe rest is not shown.";
    return;
  }
  try {
    const value = JSON.parse(text);
    // Only where nothing is lost: a number can have more digits than a script's.
    if (JSON.stringify(value) === text) shown.textContent = JSON.stringify(value, null, 2);
  } catch {}
};
for (const form of document.forms) {
  const [button, told, shown, body] = ["button", "output", "pre", "textarea"].map(tag => one(tag, form));
  let running;
  if (body) body.value = one("pre", form.parentElement).textContent;
  form.hidden = false;
  form.addEventListener("submit", async event => {
    event.preventDefault();
    if (running) return running.abort();
    running = new AbortController();
    [button.textContent, told.value, shown.textContent, shown.hidden] = ["Stop", "", "", true];
    try {
      await send(form, running.signal, told, shown);
    } catch (error) {
      const why = running.signal.aborted ? "Stopped." : `It did not get through: ${error.message}`;
      told.value = `${told.value}\\n${why}`.trim();
    }
    [button.textContent, running] = ["Send", undefined];
  });
}
one("#tools").hidden = one("#real").hidden = false;
reveal(location.hash.slice(1));
""".replace("MOST_SHOWN", str(MOST_SHOWN))
