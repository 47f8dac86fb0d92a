/** Basic authentication (RFC 7617) against bcrypt hashes. */
import { createHmac, randomBytes } from "node:crypto";
import { compare } from "bcryptjs";

/** Answers remembered: scrapers ask with the same words every few seconds, and a hash takes a tenth of a second. */
const MAX_REMEMBERED = 100;
/** Hashes waited for; more are refused at once, so that guessing cannot hold up the capture. */
const MAX_WAITING = 4;
/** bcrypt reads no more. */
const MAX_PASSWORD_BYTES = 72;
/** Of a random text: compared with where a user is not known, so that it takes as long. */
const NO_USER = "$2b$10$abcdefghijklmnopqrstuu5Lwb0nqaX3BDXbDhqJHyWPgNBRUXlZy";

export type Verdict = "granted" | "refused" | "busy";

/** Checks one header after the other; secrets are kept only as keyed digests. */
export class Authenticator {
  #users: ReadonlyMap<string, string>;
  readonly #key = randomBytes(32);
  readonly #remembered = new Map<string, boolean>();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(users: ReadonlyMap<string, string>) {
    this.#users = users;
  }

  set users(users: ReadonlyMap<string, string>) {
    this.#users = users;
    this.#remembered.clear();
  }

  async check(header: string | undefined): Promise<Verdict> {
    const credentials = parseCredentials(header);
    if (credentials === null) return "refused";
    const { user, password } = credentials;
    const hash = this.#users.get(user);
    const digest = createHmac("sha256", this.#key)
      .update(JSON.stringify([user, hash, password]))
      .digest("base64");
    const remembered = this.#remembered.get(digest);
    if (remembered !== undefined) return remembered ? "granted" : "refused";
    if (this.#waiting >= MAX_WAITING) return "busy";
    const isRight = (await this.#compare(password, hash ?? NO_USER)) && hash !== undefined;
    if (this.#remembered.size >= MAX_REMEMBERED)
      this.#remembered.delete(this.#remembered.keys().next().value!);
    if (this.#users.get(user) === hash) this.#remembered.set(digest, isRight);
    return isRight ? "granted" : "refused";
  }

  /** One at a time. */
  async #compare(password: string, hash: string): Promise<boolean> {
    this.#waiting++;
    const before = this.#last;
    const mine = before.then(() => compare(password, hash));
    this.#last = mine.catch(() => false);
    try {
      return await mine;
    } finally {
      this.#waiting--;
    }
  }
}

function parseCredentials(header: string | undefined): { user: string; password: string } | null {
  const match = /^Basic +([A-Za-z0-9+/=]{1,1024})$/i.exec(header ?? "");
  if (!match) return null;
  const text = Buffer.from(match[1]!, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0) return null;
  const password = text.slice(colon + 1);
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return null;
  return { user: text.slice(0, colon), password };
}
