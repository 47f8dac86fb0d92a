import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { z } from "zod";
import { makeKeyPair } from "../bft/message.js";
import { LabError } from "../lab-error.js";
import { DATABASE_PASSWORD, secretNames } from "../secrets.js";
import { CLIENT } from "../shop/orders/order-rules.js";
import { instancesOf, type Plan } from "../topology.js";
import { askVault, createVaultSecret, refused, type VaultSettings, vaultSettings } from "./vault-client.js";

const SHARES = 5;
const THRESHOLD = 3;
/** Longer than a lab lives; a service asks once, at its start. */
const TOKEN_TTL = "720h";
const POLICIES = new URL("../../../services/vault/policies/", import.meta.url);

const sealSchema = z.object({ initialized: z.boolean(), sealed: z.boolean() });
const initSchema = z.object({
  keys_base64: z.array(z.string()).min(THRESHOLD),
  root_token: z.string().min(1),
});
const mountsSchema = z.object({
  data: z.record(
    z.string(),
    z.object({ type: z.string(), options: z.record(z.string(), z.string()).nullable() }),
  ),
});
const tokenSchema = z.object({ auth: z.object({ client_token: z.string().min(1) }) });

type Keys = z.infer<typeof initSchema>;

export interface InitOptions {
  /** Unseal keys and root token: written for a new Vault, read for a sealed one. */
  readonly keysFile?: string;
  /** Gets a token for each service that has secrets, in a file named for it. */
  readonly tokenDir?: string;
}

/** Initialises and unseals a Vault if needed, then creates what the shop needs. Prints each step. */
export async function initVault(
  plan: Plan,
  options: InitOptions,
  env: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): Promise<void> {
  const unauthorised = vaultSettings(env, "none");
  if (!unauthorised)
    throw new LabError("VAULT_ADDR says where the Vault is: set it, as https://127.0.0.1:8200", 2);
  const keys = await open(unauthorised, options, say);
  const token = env.VAULT_TOKEN || env.VAULT_TOKEN_FILE ? undefined : keys?.root_token;
  const settings = vaultSettings(env, token)!;
  await mountEngine(settings, say);
  for (const [role, policy] of policiesOf(plan, settings.mount)) {
    const path = `sys/policies/acl/${policyName(role)}`;
    const answer = await askVault(settings, path, { method: "POST", body: { policy } });
    if (answer.status !== 204 && answer.status !== 200) throw refused(`write policy ${role}`, answer);
    say(`policy ${policyName(role)}: written`);
  }
  for (const name of secretNames(plan)) {
    const value = name === DATABASE_PASSWORD ? randomBytes(24).toString("hex") : makeKeyPair().privateKey;
    say(`secret ${name}: ${(await createVaultSecret(settings, name, value)) ? "made" : "was there"}`);
  }
  if (options.tokenDir !== undefined) await issueTokens(plan, settings, options.tokenDir, say);
}

/** The keys, if they were needed or are in the file. */
async function open(settings: VaultSettings, { keysFile }: InitOptions, say: (line: string) => void) {
  let state = await sealState(settings);
  let keys = state.initialized && keysFile !== undefined ? readKeys(keysFile) : undefined;
  if (!state.initialized) {
    if (keysFile === undefined)
      throw new LabError("the Vault is new: --keys-file FILE says where its unseal keys go", 2);
    keys = await initialise(settings, keysFile);
    say(
      `initialised: ${SHARES} unseal keys, of which ${THRESHOLD} are needed, and the root token are in ${keysFile}`,
    );
    state = await sealState(settings);
  }
  if (!state.sealed) return keys;
  if (keys === undefined) throw new LabError("the Vault is sealed: --keys-file FILE with its unseal keys", 2);
  await unseal(settings, keys);
  say("unsealed");
  return keys;
}

async function sealState(settings: VaultSettings): Promise<z.infer<typeof sealSchema>> {
  const answer = await askVault(settings, "sys/seal-status");
  const parsed = sealSchema.safeParse(answer.body);
  if (answer.status !== 200 || !parsed.success) throw refused("say whether it is sealed", answer);
  return parsed.data;
}

/** The file is made before the keys, so that the keys always have a place to be saved. */
async function initialise(settings: VaultSettings, keysFile: string): Promise<Keys> {
  const file = createSecretFile(keysFile);
  try {
    const body = { secret_shares: SHARES, secret_threshold: THRESHOLD };
    const answer = await askVault(settings, "sys/init", { method: "POST", body });
    const parsed = initSchema.safeParse(answer.body);
    if (answer.status !== 200 || !parsed.success) throw refused("initialise", answer);
    file.write(`${JSON.stringify(parsed.data, null, 1)}\n`);
    return parsed.data;
  } catch (error) {
    file.discard();
    throw error;
  }
}

function readKeys(keysFile: string): Keys {
  try {
    return initSchema.parse(JSON.parse(readFileSync(keysFile, "utf8")));
  } catch {
    throw new LabError(`${keysFile} holds no unseal keys`);
  }
}

async function unseal(settings: VaultSettings, keys: Keys): Promise<void> {
  for (const key of keys.keys_base64) {
    const answer = await askVault(settings, "sys/unseal", { method: "POST", body: { key } });
    const parsed = sealSchema.partial({ initialized: true }).safeParse(answer.body);
    if (answer.status !== 200 || !parsed.success) throw refused("unseal", answer);
    if (!parsed.data.sealed) return;
  }
  throw new LabError("the Vault is still sealed after all its keys");
}

async function mountEngine(settings: VaultSettings, say: (line: string) => void): Promise<void> {
  const { mount } = settings;
  const listed = await askVault(settings, "sys/mounts");
  const parsed = mountsSchema.safeParse(listed.body);
  if (listed.status !== 200 || !parsed.success) throw refused("list its engines", listed);
  const found = new Map(Object.entries(parsed.data.data)).get(`${mount}/`);
  if (found) {
    if (found.type !== "kv" || found.options?.version !== "2")
      throw new LabError(
        `${mount}/ is there and no KV engine of version 2; VAULT_KV_MOUNT names another place`,
      );
    return say(`engine ${mount}/: was there`);
  }
  const body = { type: "kv", options: { version: "2" } };
  const answer = await askVault(settings, `sys/mounts/${mount}`, { method: "POST", body });
  if (answer.status !== 204 && answer.status !== 200) throw refused(`mount ${mount}/`, answer);
  say(`engine ${mount}/: mounted, KV version 2`);
}

/** Role and text: one for each service with secrets, and one for the operator, whose `up` reads them all. */
function policiesOf(plan: Plan, mount: string): [role: string, policy: string][] {
  const read = (file: string, instance: string) =>
    readFileSync(new URL(file, POLICIES), "utf8").replaceAll("MOUNT", mount).replaceAll("INSTANCE", instance);
  const nodes = instancesOf(plan, plan.cluster.service).map(({ name }) => name);
  return [
    ["operator", read("operator.hcl", "")],
    [CLIENT, read("api-gateway.hcl", CLIENT)],
    ...nodes.map((name): [string, string] => [name, read("order-node.hcl", name)]),
  ];
}

const policyName = (role: string): string => `netwatch-${role}`;

async function issueTokens(
  plan: Plan,
  settings: VaultSettings,
  directory: string,
  say: (line: string) => void,
): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const [role] of policiesOf(plan, settings.mount)) {
    const file = createSecretFile(`${directory}/${role}.token`);
    try {
      const body = {
        policies: [policyName(role)],
        ttl: TOKEN_TTL,
        no_parent: true,
        display_name: policyName(role),
      };
      const answer = await askVault(settings, "auth/token/create", { method: "POST", body });
      const parsed = tokenSchema.safeParse(answer.body);
      if (answer.status !== 200 || !parsed.success) throw refused(`make a token for ${role}`, answer);
      file.write(`${parsed.data.auth.client_token}\n`);
    } catch (error) {
      file.discard();
      throw error;
    }
    say(`token for ${role}, good for ${TOKEN_TTL}: in ${directory}/${role}.token`);
  }
}

/** A new file, readable only by its owner. Throws LabError if it exists: it may hold the only copy of a key. */
function createSecretFile(path: string): { write(text: string): void; discard(): void } {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  let fd: number;
  try {
    fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  } catch (error) {
    throw new LabError(`${path}: ${(error as Error).message}`);
  }
  return {
    write(text) {
      writeSync(fd, text);
      fsyncSync(fd);
      closeSync(fd);
    },
    discard() {
      closeSync(fd);
      unlinkSync(path);
    },
  };
}
