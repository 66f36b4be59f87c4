// Serves the site on this machine as Vercel does: files of public/, functions of api/. `--check` asks for its health.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const ROOT = import.meta.dirname;
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript" };

async function answer({ method, url }) {
  const path = new URL(url, "http://site").pathname;
  const route = /^\/api\/(\w+)$/.exec(path);
  try {
    if (route) {
      const run = (await import(`./api/${route[1]}.js`))[method];
      return run ? await run(new Request(new URL(url, "http://site"), { method })) : new Response(null, { status: 405 });
    }
    const file = join(ROOT, "public", normalize(path.endsWith("/") ? `${path}index.html` : path));
    const type = `${TYPES[extname(file)] || "application/octet-stream"}; charset=utf-8`;
    return new Response(await readFile(file), { headers: { "content-type": type } });
  } catch (error) {
    if (["ENOENT", "EISDIR", "ERR_MODULE_NOT_FOUND"].includes(error.code)) return new Response("Not found", { status: 404 });
    throw error;
  }
}

/** Serve on a port of the loopback interface (0: a free one); resolves to the server once it listens. */
export function serve(port = 0) {
  const server = createServer(async (request, response) => {
    const { status, headers, ...body } = await answer(request).then(
      async (found) => ({ status: found.status, headers: Object.fromEntries(found.headers), bytes: await found.bytes() }),
      (error) => ({ status: 500, headers: {}, bytes: String(error) }),
    );
    // One connection, one request: so a newer version takes over between two of them.
    response.writeHead(status, { ...headers, connection: "close" }).end(body.bytes);
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

if (process.argv[1] === import.meta.filename) {
  const check = process.argv.includes("--check");
  const server = await serve(check ? 0 : Number(process.env.PORT || 3000));
  const base = `http://127.0.0.1:${server.address().port}`;
  if (check) {
    const health = await fetch(`${base}/api/health`);
    console.log(await health.text());
    process.exitCode = health.ok ? 0 : 1;
    server.close();
  } else {
    process.once("SIGTERM", () => server.close());
    console.log(base);
  }
}
