import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { GATEWAY_PORTS_DIR, NGINX_DIR, NGINX_USER, nginxConfig } from "../servers/nginx.js";
import { createApp } from "../service/app.js";
import { Directory } from "../service/directory.js";
import { dropRoot, type Identity } from "../service/identity.js";
import { registryUrl } from "../service/run-service.js";

const CONFIG = `${NGINX_DIR}/nginx.conf`;

/** Runs the real nginx and updates the file with the gateway's port. Ends when nginx ends. */
export async function startBalancer({ plan, instance }: Identity): Promise<void> {
  const { http } = createApp(instance.name);
  dropRoot(NGINX_USER, NGINX_USER);
  let stopping = false;
  const follow = (): void => {
    const ports = directory.all("api-gateway").map((place) => String(place.port));
    // the new one before the old one goes, so that there is always one
    for (const port of ports) writeFileSync(`${GATEWAY_PORTS_DIR}/${port}`, "");
    for (const file of readdirSync(GATEWAY_PORTS_DIR))
      if (!ports.includes(file)) rmSync(`${GATEWAY_PORTS_DIR}/${file}`);
    http.log.info({ ports }, "following the gateway");
  };
  mkdirSync(GATEWAY_PORTS_DIR, { recursive: true });
  writeFileSync(CONFIG, nginxConfig(plan, instance));
  const directory = new Directory(registryUrl(plan), ["api-gateway"], follow);
  await directory.start();
  const nginx = spawn("nginx", ["-e", "stderr", "-p", NGINX_DIR, "-c", CONFIG], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  nginx.on("error", (error) => http.log.error({ reason: error.message }, "nginx could not be started"));
  nginx.on("exit", (code, signal) => {
    if (!stopping) http.log.error({ code, signal }, "nginx ended");
    process.exit(stopping ? 0 : 1);
  });
  const stop = (): void => {
    stopping = true;
    directory.stop();
    nginx.kill("SIGTERM");
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
