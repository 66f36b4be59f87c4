import { settings } from "./config.js";

// Postgres refuses visitors this table (SQLSTATE 42501): its own refusal proves that the database answers.
const QUESTION = "/rest/v1/organizations?select=id&limit=1";
const TIMEOUT = 5000;

/** Ask the database through the API, as a visitor would; returns null or what is wrong. */
async function problem({ url, publishableKey, missing }) {
  if (missing.length) return `${missing.join(", ")} not set`;
  try {
    const answer = await fetch(url + QUESTION, {
      headers: { apikey: publishableKey },
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (answer.ok) return null;
    const body = await answer.json().catch(() => ({}));
    return body.code === "42501" ? null : `the API answers ${answer.status}`;
  } catch (error) {
    return error.name === "TimeoutError" ? "the API does not answer in time" : "the API cannot be reached";
  }
}

export async function GET() {
  const started = Date.now();
  const error = await problem(settings());
  const body = { status: error ? "unavailable" : "ok", milliseconds: Date.now() - started, ...(error && { error }) };
  return Response.json(body, { status: error ? 503 : 200, headers: { "cache-control": "no-store" } });
}
