/** Compares passwords with bcrypt hashes in a thread of its own: one comparison takes a tenth of a second of processor. */
import { parentPort } from "node:worker_threads";
import { compareSync } from "bcryptjs";
import { bareThread } from "../../../capture/kernel/privilege.js";

export interface PasswordQuestion {
  readonly id: number;
  readonly password: string;
  readonly hashes: readonly string[];
}

/** `matches` has an element for each hash. */
export interface PasswordAnswer {
  readonly id: number;
  readonly matches: readonly boolean[];
}

if (parentPort !== null) {
  const port = parentPort;
  bareThread();
  port.on("message", ({ id, password, hashes }: PasswordQuestion) => {
    const matches = hashes.map((hash) => compareSync(password, hash));
    port.postMessage({ id, matches } satisfies PasswordAnswer);
  });
  port.postMessage("ready");
}
