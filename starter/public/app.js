const find = (id) => document.getElementById(id);
const config = await (await fetch("/api/config")).json();
let session = JSON.parse(sessionStorage.getItem("session"));

document.title = config.clientName;
find("brand").textContent = config.clientName;

/** Call the project's API with the publishable key and, once signed in, the person's token. */
async function api(path, body, method = body ? "POST" : "GET") {
  const token = session && { authorization: `Bearer ${session.access_token}` };
  const answer = await fetch(config.url + path, {
    method,
    headers: { apikey: config.publishableKey, "content-type": "application/json", ...token },
    body: body && JSON.stringify(body),
  });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(content.msg || content.message || `Error ${answer.status}`), answer);
  return content;
}

function show(next) {
  session = next;
  if (session) sessionStorage.setItem("session", JSON.stringify(session));
  else sessionStorage.removeItem("session");
  find("login").hidden = Boolean(session);
  find("account").hidden = !session;
  find("choose").hidden = !session?.invited;
}

/** An invitation's link brings a session in the address's fragment, or why it does not; it leaves the history at once. */
async function fromLink() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.size) history.replaceState(null, "", location.pathname);
  if (given.has("error_description")) find("error").textContent = given.get("error_description");
  if (!given.has("access_token")) return null;
  session = { access_token: given.get("access_token") };
  return { ...session, user: await api("/auth/v1/user"), invited: true };
}

/** Row-level security decides what these queries return: no filter by organization is needed. */
async function showAccount() {
  const [organization] = await api("/rest/v1/organizations?select=name");
  const contacts = await api("/rest/v1/contacts?select=first_name,last_name,email&order=created_at.desc&limit=10");
  find("organization").textContent = organization?.name || "No organization yet";
  find("identity").textContent = `Signed in as ${session.user.email}`;
  const names = contacts.map((one) => [one.first_name, one.last_name].filter(Boolean).join(" ") || one.email);
  find("contacts").replaceChildren(
    ...(names.length ? names : ["No contacts yet."]).map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
  find("organization").focus();
}

async function enter(next) {
  show(next);
  try {
    await showAccount();
  } catch (error) {
    show(null);
    find("error").textContent = error.message;
  }
}

find("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  const { email, password } = Object.fromEntries(new FormData(event.target));
  find("error").textContent = "";
  button.disabled = true;
  try {
    await enter(await api("/auth/v1/token?grant_type=password", { email, password }));
  } catch (error) {
    find("error").textContent = error.message;
  }
  button.disabled = false;
});
find("choose").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { password } = Object.fromEntries(new FormData(event.target));
  try {
    await api("/auth/v1/user", { password }, "PUT");
    show({ ...session, invited: false });
    find("organization").focus();
  } catch (error) {
    find("refused").textContent = error.message;
  }
});
find("logout").addEventListener("click", () => {
  show(null);
  find("email").focus();
});

try {
  session = (await fromLink()) || session;
} catch (error) {
  show(null);
  find("error").textContent = error.message;
}
const health = await (await fetch("/api/health")).json();
find("health").textContent = health.status === "ok" ? "All systems working" : `Not connected: ${health.error}`;
if (session) await enter(session);
