import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { STATE_DIR, writeWhole } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { databasePassword, makeKeys } from "../secrets.js";
import { nginxConfig } from "../servers/nginx.js";
import { databaseScript } from "../servers/postgres.js";
import { instancesOf, readLab } from "../topology.js";
import { planContainers } from "./plan.js";

/** Where compose.yml mounts what PostgreSQL's image runs on an empty data folder. */
const DATABASE_DIR = "/docker-entrypoint-initdb.d";

/**
 * Makes the plan and missing secrets once, in the volume that all containers share read-only.
 * `owners` are `FILE:UID[:GID]`: a secret belongs to the one user that runs the one service it is for.
 */
export function prepareContainers(owners: readonly string[]): void {
  const plan = planContainers(readLab());
  mkdirSync(STATE_DIR, { recursive: true });
  makeKeys(plan);
  const password = databasePassword();
  chmodSync(`${STATE_DIR}/keys`, 0o711);
  for (const folder of ["nginx", "faults", "ports"]) mkdirSync(`${STATE_DIR}/${folder}`, { recursive: true });
  writeWhole(`${STATE_DIR}/plan.json`, JSON.stringify(plan), 0o644);
  for (const { name, ports } of plan.instances)
    writeWhole(`${STATE_DIR}/ports/${name}`, ports.join(" "), 0o644);
  writeWhole(`${STATE_DIR}/nginx.conf`, nginxConfig(plan, instancesOf(plan, "nginx-lb")[0]!), 0o644);
  writeWhole(`${DATABASE_DIR}/shop.sql`, databaseScript(password), 0o600);
  for (const owner of owners) give(owner);
}

function give(owner: string): void {
  const [, file, uid, gid = uid] = /^(\/[^:]+):(\d+)(?::(\d+))?$/.exec(owner) ?? [];
  if (file === undefined) throw new LabError(`FILE:UID[:GID] is wanted, not ${JSON.stringify(owner)}`, 2);
  // set before: without privileges over other users' files it cannot be changed
  if (statSync(file).uid === Number(uid) && statSync(file).gid === Number(gid)) return;
  chmodSync(file, gid === uid ? 0o400 : 0o440);
  chownSync(file, Number(uid), Number(gid));
}
