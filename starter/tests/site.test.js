import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { settings } from "../api/config.js";
import { serve } from "../dev.js";

let site, api, reply, asked;
const url = (server) => `http://127.0.0.1:${server.address().port}`;
const get = (path) => fetch(url(site) + path);

before(async () => {
  site = await serve();
  api = createServer((request, response) => {
    asked = request;
    response.writeHead(reply.status, { "content-type": "application/json" }).end(JSON.stringify(reply.body));
  });
  await new Promise((resolve) => api.listen(0, "127.0.0.1", resolve));
});
after(() => [site, api].forEach((server) => server.close()));
beforeEach(() => {
  reply = { status: 200, body: [] };
  process.env.NEXT_PUBLIC_SUPABASE_URL = url(api);
  process.env.NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY = "sb_publishable_test";
  delete process.env.SUPABASE_SECRET_KEY;
});

test("the page labels every field and loads nothing from elsewhere", async () => {
  const page = await (await get("/")).text();
  const inputs = [...page.matchAll(/<input id="([\w-]+)"/g)].map((found) => found[1]);
  assert.deepEqual(inputs, ["email", "password", "new-password"]);
  for (const id of inputs) assert.match(page, new RegExp(`<label for="${id}">`));
  assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//);
});

test("a browser is told public settings and nothing else", async () => {
  process.env.SUPABASE_SECRET_KEY = "not for browsers";
  const config = await (await get("/api/config")).json();
  assert.deepEqual(Object.keys(config), ["clientName", "url", "publishableKey", "missing"]);
  assert.equal(JSON.stringify(config).includes("not for browsers"), false);
});

test("health is good when the database answers, also by refusing a visitor", async () => {
  assert.equal((await get("/api/health")).status, 200);
  assert.equal(asked.headers.apikey, "sb_publishable_test");
  reply = { status: 401, body: { code: "42501", message: "permission denied for table organizations" } };
  assert.equal((await get("/api/health")).status, 200);
});

test("health is bad when the key is wrong, the API fails or a variable is missing", async () => {
  reply = { status: 401, body: { message: "Invalid API key" } };
  assert.deepEqual([(await get("/api/health")).status, (await (await get("/api/health")).json()).error], [503, "the API answers 401"]);
  process.env.NEXT_PUBLIC_SUPABASE_URL = "http://127.0.0.1:1";
  assert.equal((await (await get("/api/health")).json()).error, "the API cannot be reached");
  delete process.env.NEXT_PUBLIC_SUPABASE_URL;
  assert.equal((await (await get("/api/health")).json()).error, "NEXT_PUBLIC_SUPABASE_URL not set");
});

test("health is bad when the server's key is refused", async () => {
  process.env.SUPABASE_SECRET_KEY = "sb_secret_old";
  reply = { status: 401, body: { code: "42501" } };
  assert.equal((await (await get("/api/health")).json()).error, "the API answers 401 to the server's key");
  delete process.env.SUPABASE_SECRET_KEY;
});

test("opening an unsubscribe link changes nothing, confirming it does, with the server's key", async () => {
  process.env.SUPABASE_SECRET_KEY = "sb_secret_test";
  reply = { status: 200, body: [{ organization_id: "o", email: "a@example.com" }] };
  const link = "/api/unsubscribe?contact=00000000-0000-4000-8000-000000000001";
  asked = null;
  assert.match(await (await get(link)).text(), /<form method="post">/);
  assert.equal(asked, null);
  const done = await fetch(url(site) + link, { method: "POST" });
  assert.deepEqual([done.status, await done.text()], [200, "You are unsubscribed."]);
  assert.deepEqual([asked.method, asked.headers.apikey], ["PATCH", "sb_secret_test"]);
  delete process.env.SUPABASE_SECRET_KEY;
  assert.equal((await fetch(url(site) + link, { method: "POST" })).status, 503);
});

test("an unsubscribe link without a contact's id is refused", async () => {
  assert.equal((await fetch(`${url(site)}/api/unsubscribe?contact=*`, { method: "POST" })).status, 400);
  assert.equal((await fetch(`${url(site)}/api/config`, { method: "POST" })).status, 405);
});

test("a path outside the public folder is not served", async () => {
  assert.equal((await get("/..%2fpackage.json")).status, 404);
  assert.equal((await get("/nothing.html")).status, 404);
});

test("a trailing slash of the API's address does no harm", () => {
  assert.equal(settings({ NEXT_PUBLIC_SUPABASE_URL: "https://x.example/" }).url, "https://x.example");
});
