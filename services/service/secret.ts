import { readFileSync } from "node:fs";
import { STATE_DIR } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { readVaultSecret, vaultSettings } from "../vault/vault-client.js";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A password or a key, from the first source that exists: its environment variable, or the file in the variable with `_FILE`
 * (`postgres.password`: SHOP_POSTGRES_PASSWORD), Vault where VAULT_ADDR is set, else the state folder. Read as root, before it is
 * given up. Throws LabError, which never holds the secret.
 */
export async function readSecret(
  name: string,
  env: Environment = process.env,
  folder = `${STATE_DIR}/keys`,
): Promise<string> {
  const variable = `SHOP_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
  const [value, file] = [env[variable], env[`${variable}_FILE`]];
  if (value && file) throw new LabError(`${variable} and ${variable}_FILE are both set: which is it?`, 2);
  if (value) return value.trim();
  if (file) return readText(file, name);
  const vault = vaultSettings(env);
  if (!vault) return readText(`${folder}/${name}`, name);
  const secret = await readVaultSecret(vault, name);
  if (secret === undefined) throw new LabError(`Vault has no ${name}: run 'netwatch lab init-vault' first`);
  return secret.trim();
}

function readText(file: string, name: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new LabError(`no ${name}: ${(error as Error).message}`);
  }
  if (text === "") throw new LabError(`no ${name}: ${file} is empty`);
  return text;
}
