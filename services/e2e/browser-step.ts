import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { TestContext } from "node:test";
import { tryCommand } from "../host/command.js";

const CHROMIUM = "/usr/bin/chromium";

export async function browserStep(t: TestContext): Promise<void> {
  const skip = existsSync(CHROMIUM) ? false : "no Chromium: apt-get install -y chromium";
  await t.test("the shop page shows the products and sells one, in a real browser", { skip }, async () => {
    const profile = mkdtempSync(`${tmpdir()}/netwatch-lab-browser-`);
    try {
      const { stdout, stderr } = await tryCommand(
        "ip",
        [
          ...["netns", "exec", "client", CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"],
          ...["--disable-quic", "--no-first-run", "--disable-background-networking"],
          ...["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
          ...[`--user-data-dir=${profile}`, "--virtual-time-budget=8000", "--timeout=120000"],
          ...["--dump-dom", "http://198.51.100.1:8080/#buy"],
        ],
        { timeoutMs: 180_000 },
      );
      assert.match(stdout, /Cast-iron pan/, stderr.slice(-500));
      assert.match(stdout, /Order [0-9a-f]{8} confirmed, payment paid/);
    } finally {
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  });
}
