// Call functions of the official @vercel/sdk: one JSON object per line in, one per line out.
//
//   arguments: folder of the SDK's ES modules, base URL of the service, token
//   in:  {"function": "projectsGetProject", "request", "instead": {"method", "path", "body"}}
//   out: {"value", "missing", "altered", "unknown"} for an answer that the SDK parsed,
//        {"error", "status"} for one that it did not
//
// The SDK is lenient: it fills a missing required field with "", 0, false or null, turns a number
// into a string, and drops unknown fields. So the parsed value is compared with the answer:
// `missing` are the paths of fields that the SDK made up, `altered` of values that it changed,
// `unknown` of fields that it dropped. `instead` sends another request and parses its answer as
// that of the function, for routes that the SDK lacks. Functions are imported one by one, because
// the whole SDK takes seconds to load.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, serverURL, bearerToken] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${folder}/${path}`));
const { VercelCore } = await load("core.js");
const { HTTPClient } = await load("lib/http.js");

function send(request, instead) {
  if (!instead) return fetch(request);
  const { method, path, body } = instead;
  const headers = {
    authorization: request.headers.get("authorization"),
    "content-type": "application/json",
  };
  return fetch(serverURL + path, { method, headers, body: body && JSON.stringify(body) });
}

const isObject = (value) => value !== null && typeof value === "object";

function compare(raw, parsed, path, found) {
  if (!isObject(raw) || !isObject(parsed)) {
    if (raw !== parsed) found.altered.push(path);
    return;
  }
  const extra = parsed.additionalProperties ?? {};
  for (const key of Object.keys(parsed)) {
    if (key !== "additionalProperties" && !(key in raw)) found.missing.push(`${path}.${key}`);
  }
  for (const key of Object.keys(raw)) {
    if (key in parsed) compare(raw[key], parsed[key], `${path}.${key}`, found);
    else if (!(key in extra)) found.unknown.push(`${path}.${key}`);
  }
}

async function answer({ function: name, request, instead }) {
  const module = await load(`funcs/${name}.js`);
  let raw = "";
  const fetcher = async (outgoing) => {
    const response = await send(outgoing, instead);
    raw = await response.clone().text();
    return response;
  };
  const core = new VercelCore({ bearerToken, serverURL, httpClient: new HTTPClient({ fetcher }) });
  const result = request ? await module[name](core, request) : await module[name](core);
  if (!result.ok) {
    const { name: kind, message, statusCode, cause } = result.error;
    const issues = cause?.issues ? JSON.stringify(cause.issues) : "";
    return { error: `${kind}: ${message} ${issues}`, status: statusCode ?? null };
  }
  const value = result.value === undefined ? null : JSON.parse(JSON.stringify(result.value));
  const found = { missing: [], altered: [], unknown: [] };
  if (raw) compare(JSON.parse(raw), value, "", found);
  return { value, ...found };
}

for await (const line of createInterface({ input: process.stdin })) {
  const failed = (error) => ({ error: String(error), status: null });
  const reply = await answer(JSON.parse(line)).catch(failed);
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
