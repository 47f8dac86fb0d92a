import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PATIENCE_MS } from "../../src/until.test.fixture.js";
import { makeKeyPair } from "../bft/message.js";
import { LabError } from "../lab-error.js";
import { fetchSecrets, secretNames } from "../secrets.js";
import { readSecret } from "../service/secret.js";
import { planLab, readLab } from "../topology.js";
import { initVault } from "./init-vault.js";
import { FakeVault, ROOT } from "./vault.test.fixture.js";
import { createVaultSecret, readVaultSecret, vaultSettings } from "./vault-client.js";

const plan = planLab(readLab(), { profile: "flat", policies: false });

async function start(t: TestContext) {
  const vault = new FakeVault();
  vault.mounts.set("netwatch/", { type: "kv", options: { version: "2" } });
  const env = { VAULT_ADDR: await vault.listen(), VAULT_TOKEN: ROOT };
  t.after(() => vault.close());
  return { vault, env, settings: vaultSettings(env)! };
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "netwatch-vault-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** A one-line failure that says this and never the token. */
const says = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LabError, String(error));
  assert.match(error.message, pattern);
  assert.ok(!error.message.includes(ROOT) && !error.message.includes("\n"), error.message);
  return true;
};

test("a secret is written once and read back; a second write changes nothing", async (t) => {
  const { settings } = await start(t);
  assert.equal(await readVaultSecret(settings, "postgres.password"), undefined);
  assert.equal(await createVaultSecret(settings, "postgres.password", "one"), true);
  assert.equal(await createVaultSecret(settings, "postgres.password", "two"), false);
  assert.equal(await readVaultSecret(settings, "postgres.password"), "one");
});

test("a wrong token, a sealed Vault and a missing engine are said in words of our own", async (t) => {
  const { vault, env, settings } = await start(t);
  const stranger = vaultSettings({ ...env, VAULT_TOKEN: "hvs.wrong" })!;
  await assert.rejects(
    readVaultSecret(stranger, "x"),
    says(/policy does not allow it, or the token has expired/),
  );
  vault.sealed = true;
  await assert.rejects(readVaultSecret(settings, "x"), says(/it is sealed/));
  vault.sealed = false;
  vault.mounts.clear();
  await assert.rejects(
    createVaultSecret(settings, "x", "y"),
    says(/is the KV engine, version 2, mounted there/),
  );
});

test("an odd answer is an error of one line: redirects, size, shape, silence, a closed door", async (t) => {
  const { vault, settings } = await start(t);
  const cases: readonly (readonly [string, FakeVault["odd"], RegExp])[] = [
    [
      "redirect",
      (_, to) => void to.writeHead(307, { location: "http://127.0.0.1:9/" }).end(),
      /gives no answer: .*redirect/,
    ],
    [
      "too large",
      (_, to) => void to.end(`{"data":"${"x".repeat(2 << 20)}"}`),
      /gives no answer: the answer is too large/,
    ],
    ["no JSON", (_, to) => void to.end("<html>"), /the answer is not JSON/],
    ["no value", (_, to) => void to.end('{"data":{"data":{"password":"p"}}}'), /holds no text named "value"/],
    ["a number", (_, to) => void to.end('{"data":{"data":{"value":7}}}'), /holds no text named "value"/],
    ["silence", () => {}, /gives no answer: .*(timeout|aborted)/],
    ["closed", (from) => void from.socket.destroy(), /gives no answer/],
  ];
  for (const [what, odd, pattern] of cases) {
    vault.odd = odd;
    const timeoutMs = what === "silence" ? 300 : PATIENCE_MS;
    await assert.rejects(readVaultSecret({ ...settings, timeoutMs }, "x"), says(pattern), what);
  }
});

test("a token crosses no network in the clear, and an address holds nothing but the address", () => {
  const token = { VAULT_TOKEN: ROOT };
  assert.equal(vaultSettings({}), undefined);
  for (const good of [
    "http://127.0.0.1:8200",
    "http://localhost:8200/",
    "http://[::1]:8200",
    "https://vault.example:8200",
  ])
    assert.ok(vaultSettings({ VAULT_ADDR: good, ...token }), good);
  for (const bad of [
    "http://10.0.0.1:8200",
    "http://vault.example",
    "ftp://127.0.0.1",
    "vault",
    "https://u:p@127.0.0.1",
    "https://a/b",
    "https://a/?q",
  ])
    assert.throws(() => vaultSettings({ VAULT_ADDR: bad, ...token }), says(/VAULT_ADDR/), bad);
  assert.throws(() => vaultSettings({ VAULT_ADDR: "https://a" }), says(/VAULT_TOKEN or VAULT_TOKEN_FILE/));
  assert.throws(() => vaultSettings({ VAULT_ADDR: "https://a", VAULT_TOKEN: "a\nb" }), says(/is not one/));
  assert.throws(
    () => vaultSettings({ VAULT_ADDR: "https://a", VAULT_KV_MOUNT: "a/../sys", ...token }),
    says(/MOUNT/),
  );
});

test("names go into no path that they could leave", async (t) => {
  const { vault, settings } = await start(t);
  for (const name of ["../sys/init", "a/b", "a%2fb", "", "A", "x".repeat(65), "__proto__"])
    await assert.rejects(readVaultSecret(settings, name), says(/no name of a secret/), name);
  assert.deepEqual(vault.requests, []);
});

test("a service reads the variable, the file it names, Vault, or the state folder, in this order", async (t) => {
  const { vault, env } = await start(t);
  const place = folder(t);
  const own = join(place, "own");
  writeFileSync(own, "of the file\n");
  writeFileSync(join(place, "postgres.password"), "of the folder");
  vault.secrets.set("postgres.password", "of Vault");
  const read = (more: Record<string, string>) => readSecret("postgres.password", more, place);
  assert.equal(await read({ ...env, SHOP_POSTGRES_PASSWORD: "of the variable" }), "of the variable");
  assert.equal(await read({ ...env, SHOP_POSTGRES_PASSWORD_FILE: own }), "of the file");
  assert.equal(await read(env), "of Vault");
  assert.equal(await read({}), "of the folder");
  await assert.rejects(
    read({ SHOP_POSTGRES_PASSWORD: "a", SHOP_POSTGRES_PASSWORD_FILE: own }),
    says(/which is it/),
  );
  await assert.rejects(readSecret("order-node-1.pem", env, place), says(/Vault has no order-node-1\.pem/));
  await assert.rejects(readSecret("order-node-1.pem", {}, place), says(/no order-node-1\.pem: ENOENT/));
  writeFileSync(own, " \n");
  await assert.rejects(read({ SHOP_POSTGRES_PASSWORD_FILE: own }), says(/is empty/));
});

test("a new Vault is initialised, unsealed and filled; done again it changes nothing; nothing secret is said", async (t) => {
  const { vault, env } = await start(t);
  vault.initialized = false;
  vault.mounts.delete("netwatch/");
  const place = folder(t);
  const keysFile = join(place, "keys.json");
  const said: string[] = [];
  const run = (more: object = {}) =>
    initVault(plan, { keysFile, ...more }, { VAULT_ADDR: env.VAULT_ADDR }, (line) => said.push(line));
  await run({ tokenDir: join(place, "tokens") });
  assert.deepEqual([vault.initialized, vault.sealed], [true, false]);
  assert.deepEqual(vault.mounts.get("netwatch/"), { type: "kv", options: { version: "2" } });
  assert.deepEqual([...vault.secrets.keys()].sort(), [...secretNames(plan)].sort());
  assert.equal(statSync(keysFile).mode & 0o777, 0o600);
  for (const name of readdirSync(join(place, "tokens")))
    assert.equal(statSync(join(place, "tokens", name)).mode & 0o777, 0o600);
  const before = new Map(vault.secrets);
  vault.sealed = true;
  await run();
  assert.deepEqual(vault.secrets, before);
  const hidden = [
    ROOT,
    ...vault.secrets.values(),
    ...vault.tokens.keys(),
    ...JSON.parse(readFileSync(keysFile, "utf8")).keys_base64,
  ];
  for (const secret of hidden) assert.ok(!said.join("\n").includes(secret));
  assert.match(said.join("\n"), /secret postgres\.password: made.*secret postgres\.password: was there/s);
});

test("each service's token opens its own secrets and no others", async (t) => {
  const { vault, env } = await start(t);
  const place = folder(t);
  await initVault(plan, { tokenDir: place }, env, () => {});
  const as = (role: string) =>
    vaultSettings({ VAULT_ADDR: env.VAULT_ADDR, VAULT_TOKEN_FILE: join(place, `${role}.token`) })!;
  const reads = async (role: string) => {
    const open: string[] = [];
    for (const name of secretNames(plan))
      await readVaultSecret(as(role), name).then(
        () => open.push(name),
        () => {},
      );
    return open;
  };
  assert.deepEqual(await reads("order-node-2"), ["order-node-2.pem", "postgres.password"]);
  assert.deepEqual(await reads("api-gateway"), ["api-gateway.pem"]);
  assert.deepEqual(await reads("operator"), secretNames(plan));
  await assert.rejects(createVaultSecret(as("operator"), "new", "x"), says(/policy/));
  assert.equal(vault.secrets.has("new"), false);
});

test("init-vault says what it lacks before it does anything", async (t) => {
  const { vault, env } = await start(t);
  const quiet = () => {};
  await assert.rejects(initVault(plan, {}, {}, quiet), says(/VAULT_ADDR/));
  vault.initialized = false;
  await assert.rejects(initVault(plan, {}, env, quiet), says(/--keys-file FILE/));
  const taken = join(folder(t), "keys.json");
  writeFileSync(taken, "precious");
  await assert.rejects(initVault(plan, { keysFile: taken }, env, quiet), says(/EEXIST/));
  assert.equal(readFileSync(taken, "utf8"), "precious");
  assert.equal(vault.initialized, false, "no key is made that could be lost");
  vault.initialized = true;
  vault.mounts.set("netwatch/", { type: "kv", options: { version: "1" } });
  await assert.rejects(initVault(plan, {}, env, quiet), says(/no KV engine of version 2/));
});

test("up takes from Vault what it would have made, with the public halves, and what is there stays", async (t) => {
  const { vault, env } = await start(t);
  const place = join(folder(t), "keys");
  await initVault(plan, {}, env, () => {});
  await fetchSecrets(plan, env, place);
  for (const name of secretNames(plan)) {
    assert.equal(readFileSync(join(place, name), "utf8"), vault.secrets.get(name));
    assert.equal(statSync(join(place, name)).mode & 0o777, 0o600);
  }
  const pair = makeKeyPair();
  vault.secrets.set("api-gateway.pem", pair.privateKey);
  await fetchSecrets(plan, env, place);
  assert.notEqual(readFileSync(join(place, "api-gateway.pem"), "utf8"), pair.privateKey);
  const other = join(folder(t), "keys");
  await fetchSecrets(plan, env, other);
  assert.equal(readFileSync(join(other, "api-gateway.pub"), "utf8"), pair.publicKey);
});

test("what Vault holds is checked before it is used", async (t) => {
  const { vault, env } = await start(t);
  await initVault(plan, {}, env, () => {});
  vault.secrets.set("postgres.password", "x'; drop table orders; --");
  await assert.rejects(fetchSecrets(plan, env, folder(t)), says(/hexadecimal/));
  vault.secrets.set("api-gateway.pem", "not a key");
  await assert.rejects(fetchSecrets(plan, env, folder(t)), says(/no private key in PEM/));
  vault.secrets.delete("api-gateway.pem");
  await assert.rejects(fetchSecrets(plan, env, folder(t)), says(/init-vault/));
});
