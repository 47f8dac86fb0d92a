import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { z } from "zod";
import { LabError } from "../lab-error.js";
import { type Answer, type CallOptions, call } from "../service/call.js";

/** How to reach a Vault, by the names its own command line uses. */
export interface VaultSettings {
  /** Without a slash at its end. */
  readonly address: string;
  /** Never in a message. */
  readonly token: string;
  /** Path of the KV version 2 engine. */
  readonly mount: string;
  readonly timeoutMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_MOUNT = "netwatch";
const TIMEOUT_MS = 3000;
const MAX_SECRET = 8192;
const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/;

const valueSchema = z.object({
  data: z.object({ data: z.object({ value: z.string().min(1).max(MAX_SECRET) }) }),
});
const writtenSchema = z.object({ data: z.object({ version: z.int().min(1) }) });
const errorsSchema = z.object({ errors: z.array(z.string().max(2000)).max(20) });

/** Undefined without VAULT_ADDR. `token`: replaces VAULT_TOKEN and VAULT_TOKEN_FILE. Throws LabError. */
export function vaultSettings(env: Environment, token?: string): VaultSettings | undefined {
  if (!env.VAULT_ADDR) return undefined;
  const mount = env.VAULT_KV_MOUNT || DEFAULT_MOUNT;
  if (!NAME.test(mount))
    throw new LabError("VAULT_KV_MOUNT is one word of letters, digits, dots and dashes", 2);
  return {
    address: addressOf(env.VAULT_ADDR),
    token: token ?? tokenOf(env),
    mount,
    timeoutMs: TIMEOUT_MS,
  };
}

/** A token must not cross a network unencrypted. */
function addressOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBare =
    url !== undefined && url.pathname === "/" && !url.username && !url.password && !url.search && !url.hash;
  if (!isBare) throw new LabError("VAULT_ADDR is a URL such as https://127.0.0.1:8200", 2);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isLoopback = host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback))
    throw new LabError("VAULT_ADDR must be https; http only on loopback", 2);
  return url.origin;
}

function tokenOf({ VAULT_TOKEN: token, VAULT_TOKEN_FILE: file }: Environment): string {
  if (token) return checkToken(token);
  if (!file) throw new LabError("VAULT_ADDR is set: set VAULT_TOKEN or VAULT_TOKEN_FILE too", 2);
  try {
    return checkToken(readFileSync(file, "utf8").trim());
  } catch (error) {
    throw error instanceof LabError
      ? error
      : new LabError(`VAULT_TOKEN_FILE ${file}: ${(error as Error).message}`);
  }
}

function checkToken(token: string): string {
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) throw new LabError("the Vault token is not one", 2);
  return token;
}

/** One exchange with the API. Throws LabError without an answer; the caller checks the status. */
export async function askVault(
  { address, token, timeoutMs }: VaultSettings,
  path: string,
  options: Pick<CallOptions, "method" | "body"> = {},
): Promise<Answer> {
  const headers = { "x-vault-token": token, "x-vault-request": "true" };
  try {
    return await call(`${address}/v1/${path}`, { ...options, timeoutMs, headers });
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    throw new LabError(`Vault at ${address} gives no answer: ${cause?.message ?? message}`);
  }
}

/** A secret's value; undefined: none. Throws LabError. */
export async function readVaultSecret(settings: VaultSettings, name: string): Promise<string | undefined> {
  const answer = await askVault(settings, dataPath(settings, name));
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw refused(`read ${name}`, answer);
  const parsed = valueSchema.safeParse(answer.body);
  if (!parsed.success) throw new LabError(`Vault's answer for ${name} holds no text named "value"`);
  return parsed.data.data.data.value;
}

/** Writes a new secret, by check-and-set; false: it exists. Throws LabError. */
export async function createVaultSecret(
  settings: VaultSettings,
  name: string,
  value: string,
): Promise<boolean> {
  const body = { options: { cas: 0 }, data: { value } };
  const answer = await askVault(settings, dataPath(settings, name), { method: "POST", body });
  if (answer.status === 200 && writtenSchema.safeParse(answer.body).success) return true;
  const said = errorsSchema.safeParse(answer.body);
  if (answer.status === 400 && said.data?.errors.some((error) => error.includes("check-and-set")))
    return false;
  throw refused(`write ${name}`, answer);
}

function dataPath({ mount }: VaultSettings, name: string): string {
  if (!NAME.test(name)) throw new LabError(`${JSON.stringify(name)} is no name of a secret`, 2);
  return `${mount}/data/${name}`;
}

const REASONS: Readonly<Record<number, string>> = {
  400: "the request is not one it understands",
  403: "the token's policy does not allow it, or the token has expired",
  404: "there is no such path: is the KV engine, version 2, mounted there?",
  503: "it is sealed",
};

/** Our own text: Vault's message may repeat secrets from the request. */
export function refused(what: string, { status }: Answer): LabError {
  return new LabError(`Vault does not ${what}: ${REASONS[status] ?? `status ${status}`}`);
}
