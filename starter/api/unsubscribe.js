// Lets the reader of an e-mail unsubscribe without an account, so it acts with the server's own key. The contact's id,
// which nobody can guess, stands in the link and in the List-Unsubscribe header; one-click clients send a POST.
import { settings } from "./config.js";

const CONTACT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FORM = `<!doctype html><meta charset="utf-8"><title>Unsubscribe</title>
<form method="post"><p>Stop all e-mails to this address?</p><button>Unsubscribe</button></form>`;

async function ask(path, options = {}) {
  const key = process.env.SUPABASE_SECRET_KEY;
  if (!key) throw new Error("SUPABASE_SECRET_KEY not set");
  const headers = { apikey: key, "content-type": "application/json", ...options.headers };
  const answer = await fetch(`${settings().url}/rest/v1/${path}`, {
    ...options,
    headers,
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error(`the API answers ${answer.status}`);
  return answer;
}

function page(text, status = 200) {
  const type = { "content-type": text.startsWith("<") ? "text/html; charset=utf-8" : "text/plain; charset=utf-8" };
  return new Response(text, { status, headers: { ...type, "cache-control": "no-store" } });
}

// Scanners of e-mail open every link: opening one asks, and changes nothing.
export function GET() {
  return page(FORM);
}

export async function POST(request) {
  const id = new URL(request.url).searchParams.get("contact") || "";
  if (!CONTACT.test(id)) return page("This link is not complete.", 400);
  try {
    const [contact] = await (await ask(`contacts?id=eq.${id}&select=organization_id,email`)).json();
    // The same answer for a contact that is gone: the link tells nobody who is known here.
    if (contact?.email) {
      await ask("email_unsubscribes?on_conflict=organization_id,email,scope", {
        method: "POST",
        headers: { prefer: "resolution=ignore-duplicates" },
        body: JSON.stringify({ ...contact, contact_id: id, source: "link" }),
      });
      await ask(`contacts?id=eq.${id}`, { method: "PATCH", body: JSON.stringify({ marketing_consent: false }) });
    }
    return page("You are unsubscribed.");
  } catch (error) {
    console.error(`unsubscribe: ${error.message}`);
    return page("That did not work. Please try again later.", 503);
  }
}
