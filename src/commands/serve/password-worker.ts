/** Compares passwords with bcrypt hashes in a thread of its own: one comparison takes a tenth of a second of processor. */
import { parentPort } from "node:worker_threads";
import { compareSync } from "bcryptjs";

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

parentPort?.on("message", ({ id, password, hashes }: PasswordQuestion) => {
  const matches = hashes.map((hash) => compareSync(password, hash));
  parentPort!.postMessage({ id, matches } satisfies PasswordAnswer);
});
parentPort?.postMessage("ready");
