import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";

const FILE = new URL("../../../deploy/prometheus/compose.yml", import.meta.url);
const PASSWORD = "GF_SECURITY_ADMIN_PASSWORD__FILE";

interface Compose {
  readonly services: {
    readonly grafana: {
      readonly entrypoint: readonly string[];
      readonly environment: Record<string, string>;
    };
  };
}

test("Grafana's password is made at the first start, kept, and for its user alone", () => {
  const { grafana } = (parse(readFileSync(FILE, "utf8")) as Compose).services;
  assert.match(grafana.environment[PASSWORD]!, /^\/var\/lib\/grafana\//);
  const folder = mkdtempSync(join(tmpdir(), "netwatch-grafana-"));
  /** The arguments that the server gets; `$$` is compose's `$`. */
  const start = (name: string): string => {
    const file = join(folder, name);
    const [program, ...words] = grafana.entrypoint.map((word) =>
      word.replaceAll("$$", "$").replace("/run.sh", `cat "$${PASSWORD}"`),
    );
    const said = execFileSync(program!, words, { env: { PATH: process.env.PATH, [PASSWORD]: file } });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    return said.toString();
  };
  try {
    const made = start("a");
    assert.match(made, /^[\w+/]{32}\n$/);
    assert.equal(start("a"), made, "kept");
    assert.notEqual(start("b"), made, "each its own");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
