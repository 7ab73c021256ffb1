/**
 * The walk as a person in a real browser. test_browser_walk.py runs this, and sets HEADGATE_URL and CHROMIUM; where
 * WALK_PICTURES names a folder, pictures of the pages are left there.
 *
 * What has no page of ours is called as a product's own page would: by `fetch`, from this origin. The rest is pressed.
 */
import assert from "node:assert/strict";
import { createHmac, randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { fullText } from "../../tools/sim/text.ts";

const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
const COOKIE = "__Host-headgate";
const PASSWORD = "nine lives for cats";
const CHAT = { model: "sim/chat-chunks7", stream: true, messages: [{ role: "user", content: "Say hello." }] };

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this through pytest`);
  return value;
}

interface Call {
  method: string;
  path: string;
  body?: object;
  headers?: Record<string, string>;
}

interface Answer {
  status: number;
  text: string;
}

const base = setting("HEADGATE_URL");
const atLocalhost = base.replace("127.0.0.1", "localhost");
const letters = Array.from({ length: 12 }, () => String.fromCharCode(randomInt(97, 123))).join("");
const email = `${letters}@wonder.example`;
const folder = mkdtempSync(join(tmpdir(), "walk-"));
// Another program of this machine: a page of it is of another origin by its port, and by `localhost` of another site.
// What stands behind `?` is put into it.
const stranger = createServer((request, answer) => {
  const more = decodeURIComponent(request.url?.split("?")[1] ?? "");
  answer.setHeader("content-type", "text/html").end(`<!doctype html><p>Win!${more}`);
});
let context: BrowserContext;
let page: Page;
let second: Page;
let csrf = "";
let key = "";

before(async () => {
  context = await chromium.launchPersistentContext(folder, {
    executablePath: setting("CHROMIUM"),
    headless: true,
    args: FLAGS,
    viewport: { width: 900, height: 600 },
  });
  page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(20_000);
  await new Promise<void>((done) => stranger.listen(0, "127.0.0.1", done));
});

after(async () => {
  await context?.close();
  stranger.close();
  stranger.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends a request from the page that is open. A browser's own refusal is thrown as its TypeError. */
async function call(from: Page, { method, path, body, headers = {} }: Call): Promise<Answer> {
  const url = new URL(path, base).href;
  const sent = body === undefined ? null : JSON.stringify(body);
  const own = body === undefined ? {} : { "content-type": "application/json" };
  return from.evaluate(
    async ({ url, method, sent, headers }) => {
      const answer = await fetch(url, { method, body: sent, headers, credentials: "include" });
      return { status: answer.status, text: await answer.text() };
    },
    { url, method, sent, headers: { ...own, ...headers } },
  );
}

function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  return call(page, { method: "POST", path, body, headers });
}

async function picture(name: string): Promise<void> {
  const pictures = process.env["WALK_PICTURES"];
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

function assertChat({ status, text }: Answer): void {
  assert.equal(status, 200, text);
  const events = text.split("\n\n").filter((event) => event.startsWith("data: "));
  assert.equal(events.at(-1), "data: [DONE]");
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice(6)));
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), fullText(7));
}

async function keyNames(): Promise<string[]> {
  const { status, text } = await call(page, { method: "GET", path: "/api/v1/keys" });
  assert.equal(status, 200, text);
  return JSON.parse(text).data.map((item: { name: string }) => item.name);
}

/** Presses the link of a mail, as soon as it is in the outbox: it is sent behind the answer. */
async function followMail(to: string, subject: string): Promise<void> {
  await page.goto(`${base}/dev/outbox`);
  const mail = page.locator("article", { hasText: to }).filter({ hasText: subject });
  for (const end = performance.now() + 20_000; (await mail.count()) === 0; await page.reload()) {
    assert.ok(performance.now() < end, `no mail came: ${subject}`);
    await page.waitForTimeout(200);
  }
  await picture(subject);
  await mail.first().getByRole("link").click();
}

test("a person signs up and confirms the address with the link in the outbox", async () => {
  await page.goto(`${base}/dev/outbox`);
  await page.goto(`${base}/verify-email`); // of our own pages, one that may ask the API
  assert.equal((await post("/api/v1/users", { email, password: PASSWORD, name: "Alice" })).status, 202);

  await followMail(email, "Confirm your address");
  await page.waitForURL(`${base}/verify-email`); // without its token: the page takes that out of the history
  await picture("verify-email");
  const early = await post("/api/v1/sessions", { email, password: PASSWORD });
  assert.equal(early.status, 403, early.text);
  assert.match(early.text, /email_not_verified/);
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByText("Your address is confirmed. You can sign in now.").waitFor();
  await picture("confirmed");
});

test("the page says so when its link was used before", async () => {
  await page.goto(`${base}/dev/outbox`);
  await page.locator("article", { hasText: email }).first().getByRole("link").click();
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.locator("output", { hasText: /\w/ }).waitFor();
  assert.doesNotMatch(await page.locator("output").innerText(), /You can sign in now/);
  assert.ok(await page.getByRole("button", { name: "Confirm" }).isEnabled());
  await picture("used");
});

test("the browser keeps the session's cookie, and no script sees it", async () => {
  const answer = await post("/api/v1/sessions", { email, password: PASSWORD });
  assert.equal(answer.status, 201, answer.text);
  csrf = JSON.parse(answer.text).data.csrf_token;

  const [cookie, ...others] = await context.cookies(base);
  assert.ok(cookie);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [cookie.name, cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path, cookie.domain],
    [COOKIE, true, true, "Lax", "/", new URL(base).hostname],
  );
  assert.equal(await page.evaluate("document.cookie"), "");
});

test("the same holds at localhost: a second session of the same person", async () => {
  second = await context.newPage();
  await second.goto(`${atLocalhost}/verify-email`);
  const url = `${atLocalhost}/api/v1/sessions`;
  const answer = await call(second, { method: "POST", path: url, body: { email, password: PASSWORD } });
  assert.equal(answer.status, 201, answer.text);
  assert.equal((await call(second, { method: "GET", path: `${url}/current` })).status, 200);
  assert.deepEqual((await context.cookies(atLocalhost)).map((cookie) => cookie.name), [COOKIE]);
});

test("a key is made with the CSRF token, and not without it", async () => {
  const refused = await post("/api/v1/keys", { name: "without a token" });
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.text, /csrf_token_missing/);

  const made = await post("/api/v1/keys", { name: "the walk's" }, { "x-csrf-token": csrf });
  assert.equal(made.status, 201, made.text);
  key = JSON.parse(made.text).data.secret;
  assert.deepEqual(await keyNames(), ["the walk's"]);
});

test("the gateway streams to the key, and to the session", async () => {
  assertChat(await post("/v1/chat/completions", CHAT, { authorization: `Bearer ${key}` }));
  assertChat(await post("/v1/chat/completions", CHAT, { "x-csrf-token": csrf }));
});

// The cookie goes along from the first, which is the same site to a browser; not from the second.
for (const [host, kind] of [["127.0.0.1", "origin"], ["localhost", "site"]] as const) {
  test(`a page of another ${kind} reads nothing and changes nothing`, async () => {
    const other = await context.newPage();
    await other.goto(`http://${host}:${(stranger.address() as AddressInfo).port}/`);
    const body = { name: "a stranger's" };
    const headers = { "x-csrf-token": csrf }; // even if it had leaked
    await assert.rejects(call(other, { method: "GET", path: "/api/v1/keys" }), /Failed to fetch/);
    await assert.rejects(call(other, { method: "POST", path: "/api/v1/keys", body, headers }), /Failed to fetch/);
    await assert.rejects(call(other, { method: "POST", path: "/v1/chat/completions", body: CHAT }), /Failed to fetch/);
    await assert.rejects(call(other, { method: "DELETE", path: "/api/v1/sessions/all" }), /Failed to fetch/);

    const keyless = kind === "origin" ? /"origin_not_allowed"/ : /"missing_api_key"/;
    assert.match(await submitForm(other, `${base}/api/v1/keys`), keyless);
    // Nor does it choose who is signed in: a form can't say that it is JSON.
    assert.match(await submitForm(other, `${base}/api/v1/sessions`), /"unsupported_media_type"/);
    await other.close();
    assert.deepEqual(await keyNames(), ["the walk's"]);
  });
}

/** Has a page send a form, for which a browser asks nobody, with JSON in it. Returns what the person then sees. */
async function submitForm(from: Page, action: string): Promise<string> {
  const start = from.url();
  const name = '{"name":"a stranger\'s","email":"a@wonder.example","password":"nine lives for cats","x":"';
  await from.setContent(
    `<form method="post" enctype="text/plain" action="${action}">` +
      `<input type="hidden" name="${name.replaceAll('"', "&quot;")}" value='"}'><button>Win!</button></form>`,
  );
  await from.getByRole("button").click();
  await from.waitForURL(action);
  const shown = await from.locator("body").innerText();
  await from.goto(start);
  return shown;
}

test("the page of the API finds what is looked for, and sends with the typed key alone", async () => {
  await page.goto(`${base}/docs`);
  await page.keyboard.press("/");
  await page.keyboard.type("get KEYS list");
  await page.keyboard.press("Enter"); // it opens the first that is found
  const keys = page.locator("details[open]");
  await keys.getByRole("button", { name: "Send" }).click();
  // The browser has a session, which is not sent.
  await keys.locator("form output", { hasText: /^401 .*x-request-id: /s }).waitFor();

  await page.getByLabel("Your key or token").fill(key);
  const [sent] = await Promise.all([
    page.waitForRequest((request) => request.url().endsWith("/api/v1/models?limit=2")),
    (async () => {
      await page.getByLabel("Search").fill("get /api/v1/models list");
      await page.getByLabel("Search").press("Enter");
      const models = page.locator("details[open]:not([hidden])");
      await models.getByLabel("limit").fill("2");
      await models.getByRole("button", { name: "Send" }).click();
    })(),
  ]);
  assert.equal((await sent.allHeaders())["authorization"], `Bearer ${key}`);
  assert.equal((await sent.allHeaders())["cookie"], undefined);

  await page.getByLabel("Search").fill("post /v1/chat/completions");
  await page.getByLabel("Search").press("Enter");
  const chat = page.locator("details[open]:not([hidden])");
  assert.match(await chat.getByLabel("body").inputValue(), /"max_tokens": 100/); // the example
  await chat.getByLabel("body").fill(JSON.stringify(CHAT));
  await chat.getByRole("button", { name: "Send" }).click();
  await chat.getByText("data: [DONE]").waitFor();
  assertChat({ status: 200, text: (await chat.locator("form pre").textContent()) ?? "" });
  await picture("docs");
  await page.goto(`${base}/verify-email`);
  await page.goBack();
  assert.equal(await page.getByLabel("Your key or token").inputValue(), ""); // it is gone with the page
  await page.goto(`${base}/verify-email`);
});

test("nothing but a person leads the browser to a provider's sign-in", async () => {
  const other = await context.newPage();
  const start = `${base}/api/v1/auth/nowhere/start`;
  const at = (more: string): string =>
    `http://localhost:${(stranger.address() as AddressInfo).port}/?${encodeURIComponent(more)}`;
  const shown = (): Promise<string> => other.locator("body").innerText();

  await other.goto(at(`<a href="${start}">here</a>`));
  await other.getByRole("link").click();
  await other.waitForURL(start);
  assert.match(await shown(), /"not_found"/); // let through, but there is no such provider

  await other.goto(at(`<script>setTimeout(() => { location = "${start}"; })</script>`));
  await other.waitForURL(start);
  assert.match(await shown(), /"navigation_required"/);

  const answered = other.waitForResponse(start);
  await other.goto(at(`<iframe src="${start}"></iframe>`));
  assert.equal((await answered).status(), 403);
  await other.close();
});

test("who has signed out everywhere is refused, and the browser has forgotten the cookie", async () => {
  const [kept] = await context.cookies(base);
  assert.ok(kept);
  const ended = await call(page, { method: "DELETE", path: "/api/v1/sessions/all", headers: { "x-csrf-token": csrf } });
  assert.equal(ended.status, 204, ended.text);
  assert.deepEqual(await context.cookies(base), []);
  const elsewhere = { method: "GET", path: `${atLocalhost}/api/v1/sessions/current` };
  assert.equal((await call(second, elsewhere)).status, 401);

  for (const cookies of [[], [kept]]) {
    await context.addCookies(cookies); // also whoever has copied it
    assert.equal((await call(page, { method: "GET", path: "/api/v1/sessions/current" })).status, 401);
    assert.equal((await post("/api/v1/keys", { name: "late" }, { "x-csrf-token": csrf })).status, 401);
    assert.equal((await post("/v1/chat/completions", CHAT, { "x-csrf-token": csrf })).status, 401);
  }
});

/** Makes an account with codes at sign-in; returns a recovery code. */
async function joinWithCodes(address: string): Promise<string> {
  await page.goto(`${base}/verify-email`);
  assert.equal((await post("/api/v1/users", { email: address, password: PASSWORD, name: "Bob" })).status, 202);
  await followMail(address, "Confirm your address");
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByText("Your address is confirmed. You can sign in now.").waitFor();
  const headers = { "x-csrf-token": await signIn(address) };
  const begun = await post("/api/v1/me/actions/begin_totp", { password: PASSWORD }, headers);
  assert.equal(begun.status, 200, begun.text);
  const code = totp(JSON.parse(begun.text).data.secret);
  const confirmed = await post("/api/v1/me/actions/confirm_totp", { code }, headers);
  assert.equal(confirmed.status, 200, confirmed.text);
  return JSON.parse(confirmed.text).data.recovery_codes[0];
}

async function signIn(address: string): Promise<string> {
  const { status, text } = await post("/api/v1/sessions", { email: address, password: PASSWORD });
  assert.equal(status, 201, text);
  return JSON.parse(text).data.csrf_token;
}

/** The code of now (RFC 6238) for a secret in base32. */
function totp(secret: string): string {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"));
  const key = Buffer.from((bits.join("").match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const number = digest.readUInt32BE((digest.at(-1) ?? 0) & 15) & 0x7fffffff;
  return (number % 1_000_000).toString().padStart(6, "0");
}

test("the page of an invitation asks for a code where one is needed, and signs out", async () => {
  const invited = `b${email}`;
  const recovery = await joinWithCodes(invited);
  const headers = { "x-csrf-token": await signIn(email) };
  const sent = await post("/api/v1/orgs/current/invitations", { email: invited, role: "viewer" }, headers);
  assert.equal(sent.status, 201, sent.text);
  await followMail(invited, "invited");
  await page.waitForURL(`${base}/accept-invitation`);

  const code = page.getByLabel("Code of your authenticator");
  await page.getByLabel("Address").fill(invited);
  await page.getByLabel("Password").fill(PASSWORD);
  assert.equal(await code.isVisible(), false);
  await page.getByRole("button", { name: "Sign in and accept" }).click();
  await page.getByText("A code of your authenticator is needed.").waitFor();
  await picture("code");
  await code.fill(recovery);
  await page.getByRole("button", { name: "Sign in and accept" }).click();
  await page.getByText("You are a member now, and signed out here.").waitFor();
  await picture("accepted");

  assert.deepEqual(await context.cookies(base), []);
  assert.equal((await call(page, { method: "GET", path: "/api/v1/sessions/current" })).status, 401);
  const own = { "x-csrf-token": await signIn(email) };
  const { text } = await call(page, { method: "GET", path: "/api/v1/orgs/current/members", headers: own });
  assert.equal(JSON.parse(text).data.length, 2, text);
});
