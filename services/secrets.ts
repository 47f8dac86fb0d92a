import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { makeKeyPair } from "./bft/message.js";
import { CLIENT } from "./shop/order-rules.js";
import { STATE_DIR } from "./state.js";
import { instancesOf, type Plan } from "./topology.js";

const KEYS = `${STATE_DIR}/keys`;

/** One key pair for each order node and one for the gateway, made once; the public halves go into the plan. */
export function makeKeys(plan: Plan): void {
  mkdirSync(KEYS, { recursive: true, mode: 0o700 });
  for (const name of [CLIENT, ...instancesOf(plan, plan.cluster.service).map((node) => node.name)]) {
    if (!existsSync(`${KEYS}/${name}.pub`)) {
      const pair = makeKeyPair();
      writeFileSync(`${KEYS}/${name}.pem`, pair.privateKey, { mode: 0o600 });
      writeFileSync(`${KEYS}/${name}.pub`, pair.publicKey, { mode: 0o600 });
    }
    plan.publicKeys[name] = readFileSync(`${KEYS}/${name}.pub`, "utf8");
  }
}

export function databasePassword(): string {
  const file = `${KEYS}/postgres.password`;
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8");
}
