import { type ChildProcess, spawn } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { NGINX_DIR, NGINX_USER, nginxConfig } from "../servers/nginx.js";
import { createApp } from "../service/app.js";
import { Directory } from "../service/directory.js";
import { dropRoot, type Identity } from "../service/identity.js";
import { registryUrl } from "../service/run-service.js";

const CONFIG = `${NGINX_DIR}/nginx.conf`;

/** Runs the real nginx and keeps its upstream where the gateway is. Ends when nginx ends. */
export async function startBalancer({ plan, instance }: Identity): Promise<void> {
  dropRoot(NGINX_USER, NGINX_USER);
  const { http } = createApp(instance.name);
  let nginx: ChildProcess | undefined;
  let stopping = false;
  let written = "";
  const write = (): boolean => {
    const text = nginxConfig(plan, instance, directory.all("api-gateway"));
    if (text === written) return false;
    writeFileSync(`${CONFIG}.part`, text, { mode: 0o644 });
    renameSync(`${CONFIG}.part`, CONFIG);
    written = text;
    return true;
  };
  const follow = (): void => {
    if (!write() || !nginx) return;
    http.log.info({ gateways: directory.all("api-gateway") }, "the gateway moved, reloading nginx");
    nginx.kill("SIGHUP");
  };
  const directory = new Directory(registryUrl(plan), ["api-gateway"], follow);
  await directory.start();
  write();
  nginx = spawn("nginx", ["-e", "stderr", "-p", NGINX_DIR, "-c", CONFIG], {
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
    nginx?.kill("SIGTERM");
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
