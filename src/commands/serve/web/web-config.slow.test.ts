import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { compareSync, hashSync } from "bcryptjs";
import { Authenticator } from "../users/basic-auth.js";
import { parseListen } from "./listen-address.js";
import { accepts, prefersOpenMetrics } from "./negotiation.js";
import { readWebConfig } from "./web-config.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-web-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function configOf(text: string) {
  const path = join(folder, "web.yml");
  writeFileSync(path, text);
  return readWebConfig(path);
}

const HASH = hashSync("secret", 4);
const compare = async (password: string, hashes: readonly string[]) =>
  hashes.map((hash) => compareSync(password, hash));
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

test("users and headers are read, an empty file opens everything", () => {
  const { users, headers, tls } = configOf(
    `basic_auth_users:\n  alice: ${HASH}\nhttp_server_config:\n  headers:\n    Strict-Transport-Security: max-age=1\n`,
  );
  assert.equal(users?.get("alice"), HASH);
  assert.deepEqual(headers, { "Strict-Transport-Security": "max-age=1" });
  assert.equal(tls, null);
  assert.equal(configOf("").users, null);
});

test("a web configuration without an end, or one that is no file, is refused at once", () => {
  const fifo = join(folder, "fifo");
  execFileSync("mkfifo", [fifo]);
  for (const [path, words] of [
    ["/dev/zero", /not a regular file/],
    [fifo, /not a regular file/],
    [folder, /not a regular file|directory/],
  ] as const) {
    assert.throws(() => readWebConfig(path), words, path);
    const tls = `tls_server_config:\n  cert_file: ${path}\n  key_file: ${path}`;
    assert.throws(() => configOf(tls), words, path);
  }
  assert.throws(() => configOf(`a: ${"x".repeat(2 ** 20)}`), /larger than 1048576 bytes/);
});

test("what is wrong is said in one line, with its place", () => {
  for (const [text, words] of [
    ["basic_auth_users:\n  alice: secret", /basic_auth_users\.alice: is not a bcrypt hash/],
    [`basic_auth_users:\n  alice: ${HASH.replace("$04$", "$31$")}`, /alice: its cost must be 4 to 16/],
    ["basic_auth_user:\n  alice: x", /Unrecognized key/],
    ["a: [", /web config/],
    ["a: &x 1\nb: *x", /web config/],
    ["tls_server_config:\n  cert_file: none.pem\n  key_file: none.key", /none\.pem: no such file/],
    ['http_server_config:\n  headers:\n    X: "a\\nb"', /headers\.X/],
  ] as const)
    assert.throws(
      () => configOf(text),
      ({ message }: Error) => words.test(message) && !message.includes("\n"),
      text,
    );
});

test("a right password is granted, everything else refused, also when it is asked again", async () => {
  const authenticator = new Authenticator(new Map([["alice", HASH]]), compare);
  for (let i = 0; i < 2; i++) {
    assert.equal(await authenticator.check(basic("alice", "secret"), "10.0.0.1"), "granted");
    assert.equal(await authenticator.check(basic("alice", "wrong"), "10.0.0.1"), "refused");
    assert.equal(await authenticator.check(basic("mallory", "secret"), "10.0.0.1"), "refused");
    assert.equal(await authenticator.check(basic("__proto__", "secret"), "10.0.0.1"), "refused");
    assert.equal(await authenticator.check(basic("alice", "s".repeat(73)), "10.0.0.1"), "refused");
    for (const header of [undefined, "", "Basic", "Basic !!!", "Bearer x", "Basic YWxpY2U="])
      assert.equal(await authenticator.check(header, "10.0.0.1"), "refused");
  }
  authenticator.users = new Map([["alice", hashSync("other", 4)]]);
  assert.equal(await authenticator.check(basic("alice", "secret"), "10.0.0.1"), "refused");
  assert.equal(await authenticator.check(basic("alice", "other"), "10.0.0.1"), "granted");
});

test("guessing at once is refused without a hash, and does not shut out who was granted before", async () => {
  const authenticator = new Authenticator(new Map([["alice", HASH]]), compare);
  assert.equal(await authenticator.check(basic("alice", "secret"), "10.0.0.1"), "granted");
  const guesses = Array.from({ length: 50 }, (_, i) =>
    authenticator.check(basic("alice", `guess ${i}`), `10.0.1.${i}`),
  );
  assert.equal(await authenticator.check(basic("alice", "secret"), "10.0.0.1"), "granted");
  const verdicts = await Promise.all(guesses);
  assert.equal(verdicts.filter((verdict) => verdict === "busy").length, 46);
  assert.ok(!verdicts.includes("granted"));
});

test("where to listen: host and port, IPv6 in brackets, everywhere", () => {
  assert.deepEqual(parseListen("127.0.0.1:9810"), { host: "127.0.0.1", port: 9810 });
  assert.deepEqual(parseListen("[::1]:1"), { host: "::1", port: 1 });
  assert.deepEqual(parseListen(":9810"), { host: undefined, port: 9810 });
  for (const text of ["9810", "a:b", "::1:9810", "x:70000", "[x]:1", "", "a:1:2"])
    assert.throws(() => parseListen(text), /must be HOST:PORT/, text);
});

test("OpenMetrics only for who wants it", () => {
  assert.equal(accepts("gzip;q=0.5, br", "gzip"), 0.5);
  assert.equal(accepts("gzip;q=0", "gzip"), 0);
  const prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  assert.ok(prefersOpenMetrics(prometheus));
  for (const accept of ["", "*/*", "text/plain", "application/openmetrics-text;q=0.1,text/plain"])
    assert.ok(!prefersOpenMetrics(accept), accept);
});
