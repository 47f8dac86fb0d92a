import { createApp } from "../service/app.js";
import type { Identity } from "../service/identity.js";
import { runService } from "../service/run-service.js";
import { WEB_PAGE, WEB_SCRIPT } from "./web-page.js";

export async function startWeb(identity: Identity): Promise<void> {
  const app = createApp(identity.instance.name);
  const guarded = { "content-security-policy": "default-src 'self'; style-src 'unsafe-inline'" };
  app.http.get("/", (_request, reply) =>
    reply.headers(guarded).type("text/html; charset=utf-8").send(WEB_PAGE),
  );
  app.http.get("/shop.js", (_request, reply) =>
    reply.type("text/javascript; charset=utf-8").send(WEB_SCRIPT),
  );
  app.http.get("/favicon.ico", (_request, reply) => reply.code(204).send());
  await runService(identity, app);
}
