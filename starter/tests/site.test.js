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
});

test("the page labels every field and loads nothing from elsewhere", async () => {
  const page = await (await get("/")).text();
  const inputs = [...page.matchAll(/<input id="(\w+)"/g)].map((found) => found[1]);
  assert.deepEqual(inputs, ["email", "password"]);
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

test("a path outside the public folder is not served", async () => {
  assert.equal((await get("/..%2fpackage.json")).status, 404);
  assert.equal((await get("/nothing.html")).status, 404);
});

test("a trailing slash of the API's address does no harm", () => {
  assert.equal(settings({ NEXT_PUBLIC_SUPABASE_URL: "https://x.example/" }).url, "https://x.example");
});
