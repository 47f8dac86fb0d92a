import { createPublicKey, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { makeKeyPair } from "./bft/message.js";
import { STATE_DIR } from "./host/state.js";
import { LabError } from "./lab-error.js";
import { CLIENT } from "./shop/orders/order-rules.js";
import { instancesOf, type Plan } from "./topology.js";
import { readVaultSecret, vaultSettings } from "./vault/vault-client.js";

const KEYS = `${STATE_DIR}/keys`;
export const DATABASE_PASSWORD = "postgres.password";

/** One key pair for each order node and one for the gateway, made once; the public halves go into the plan. */
export function makeKeys(plan: Plan): void {
  mkdirSync(KEYS, { recursive: true, mode: 0o700 });
  for (const name of signersOf(plan)) {
    if (!existsSync(`${KEYS}/${name}.pub`)) {
      const pair = makeKeyPair();
      writeFileSync(`${KEYS}/${name}.pem`, pair.privateKey, { mode: 0o600 });
      writeFileSync(`${KEYS}/${name}.pub`, pair.publicKey, { mode: 0o600 });
    }
    plan.publicKeys[name] = readFileSync(`${KEYS}/${name}.pub`, "utf8");
  }
  // one key under two names would be two votes of one signer
  if (new Set(Object.values(plan.publicKeys)).size < Object.keys(plan.publicKeys).length)
    throw new LabError("two of the shop's private keys are the same; each signer needs its own");
}

export function databasePassword(): string {
  const file = `${KEYS}/${DATABASE_PASSWORD}`;
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8");
}

/** The secrets that Vault keeps for the shop: private keys and the database's password. */
export function secretNames(plan: Plan): string[] {
  return [...signersOf(plan).map((name) => `${name}.pem`), DATABASE_PASSWORD];
}

/**
 * If VAULT_ADDR is set, reads missing secrets from there instead of making them. The namespaces cannot reach a
 * Vault, so their servers read the state folder, which is in memory and readable only by root. Throws LabError without secrets in it.
 */
export async function fetchSecrets(
  plan: Plan,
  env: Readonly<Record<string, string | undefined>> = process.env,
  folder = KEYS,
): Promise<void> {
  const vault = vaultSettings(env);
  if (!vault) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of secretNames(plan)) {
    if (existsSync(`${folder}/${name}`)) continue;
    const secret = await readVaultSecret(vault, name);
    if (secret === undefined) throw new LabError(`Vault has no ${name}: run 'netwatch lab init-vault' first`);
    if (name === DATABASE_PASSWORD && !/^[0-9a-f]{16,128}$/.test(secret))
      throw new LabError(`${name} in Vault must be hexadecimal digits, 16 to 128`);
    const publicKey = name === DATABASE_PASSWORD ? undefined : publicHalf(name, secret);
    writeFileSync(`${folder}/${name}`, secret, { mode: 0o600 });
    if (publicKey) writeFileSync(`${folder}/${name.replace(/pem$/, "pub")}`, publicKey, { mode: 0o600 });
  }
}

function signersOf(plan: Plan): string[] {
  return [CLIENT, ...instancesOf(plan, plan.cluster.service).map((node) => node.name)];
}

/** As from makeKeyPair: base64 of SPKI DER. */
function publicHalf(name: string, pem: string): string {
  try {
    return createPublicKey(pem).export({ format: "der", type: "spki" }).toString("base64");
  } catch {
    throw new LabError(`${name} in Vault is no private key in PEM`);
  }
}
