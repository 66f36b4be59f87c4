// The settings a browser may know. Vercel builds no pages here, so the page asks for them at run time.

/** Read the public settings; `missing` names the variables that are not set. */
export function settings(env = process.env) {
  const names = ["NEXT_PUBLIC_SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY"];
  return {
    clientName: env.NEXT_PUBLIC_CLIENT_NAME || "Your site",
    url: (env.NEXT_PUBLIC_SUPABASE_URL || "").replace(/\/+$/, ""),
    publishableKey: env.NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY || "",
    missing: names.filter((name) => !env[name]),
  };
}

export function GET() {
  return Response.json(settings(), { headers: { "cache-control": "no-store" } });
}
