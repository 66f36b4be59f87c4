import { settings } from "./config.js";

// Postgres refuses visitors this table (SQLSTATE 42501): its own refusal proves that the database answers.
const QUESTION = "/rest/v1/organizations?select=id&limit=1";
const TIMEOUT = 5000;

/** Ask the database through the API with one of the keys; returns null or what is wrong. */
async function problem(url, apikey, visitor) {
  try {
    const answer = await fetch(url + QUESTION, { headers: { apikey }, signal: AbortSignal.timeout(TIMEOUT) });
    if (answer.ok) return null;
    const body = await answer.json().catch(() => ({}));
    if (visitor && body.code === "42501") return null;
    return `the API answers ${answer.status}${visitor ? "" : " to the server's key"}`;
  } catch (error) {
    return error.name === "TimeoutError" ? "the API does not answer in time" : "the API cannot be reached";
  }
}

export async function GET() {
  const started = Date.now();
  const { url, publishableKey, missing } = settings();
  // Where no server code runs, as in a check of the repository, there is no secret key either.
  const server = process.env.SUPABASE_SECRET_KEY;
  const asked = missing.length
    ? [`${missing.join(", ")} not set`]
    : await Promise.all([problem(url, publishableKey, true), server && problem(url, server, false)]);
  const error = asked.find(Boolean);
  const body = { status: error ? "unavailable" : "ok", milliseconds: Date.now() - started, ...(error && { error }) };
  return Response.json(body, { status: error ? 503 : 200, headers: { "cache-control": "no-store" } });
}
