/** Basic authentication (RFC 7617) against bcrypt hashes. */
import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LoginDelays } from "./login-delays.js";

/** Answers remembered of each kind: scrapers ask with the same words every few seconds, and a hash takes a tenth of a second. */
const MAX_REMEMBERED = 100;
/** Comparisons waited for; more are refused at once. */
const MAX_WAITING = 4;
/** Of one address; one that is let in elsewhere need not wait behind a guesser's. */
const MAX_OF_SOURCE = 2;
/** bcrypt ignores further bytes. */
const MAX_PASSWORD_BYTES = 72;
/** Salt and digest of a random text: compared with where a user is not known. */
const NOBODY = "abcdefghijklmnopqrstuu5Lwb0nqaX3BDXbDhqJHyWPgNBRUXlZy";

/** `busy`: too many at once. `early`: this address has others under way. */
export type Verdict = "granted" | "refused" | "busy" | "early";

/** For each hash whether it is of this password. */
export type Compare = (password: string, hashes: readonly string[]) => Promise<readonly boolean[]>;

/** Secrets are kept only as keyed digests. */
export class Authenticator {
  #users: ReadonlyMap<string, string>;
  readonly #compare: Compare;
  readonly #key = randomBytes(32);
  readonly #granted = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #delays = new LoginDelays();
  /** Checks under way by address. */
  readonly #underWay = new Map<string, number>();
  #waiting = 0;

  constructor(users: ReadonlyMap<string, string>, compare: Compare) {
    this.#users = users;
    this.#compare = compare;
  }

  set users(users: ReadonlyMap<string, string>) {
    this.#users = users;
    this.#granted.clear();
    this.#refused.clear();
  }

  /** `source`: the address it comes from. */
  async check(header: string | undefined, source: string): Promise<Verdict> {
    const credentials = parseCredentials(header);
    if (credentials === null) return "refused";
    const { user, password } = credentials;
    const digest = this.#digest(user, password);
    if (renew(this.#granted, digest)) return "granted";
    if (renew(this.#refused, digest)) return "refused";
    const underWay = this.#underWay.get(source) ?? 0;
    if (underWay >= MAX_OF_SOURCE) return "early";
    this.#underWay.set(source, underWay + 1);
    try {
      const waitMs = this.#delays.waitMs(source, performance.now());
      if (waitMs > 0) await sleep(waitMs);
      return await this.#checkNow(user, password, source);
    } finally {
      const left = this.#underWay.get(source)! - 1;
      if (left > 0) this.#underWay.set(source, left);
      else this.#underWay.delete(source);
    }
  }

  async #checkNow(user: string, password: string, source: string): Promise<Verdict> {
    if (this.#waiting >= MAX_WAITING) return "busy";
    this.#waiting++;
    const digest = this.#digest(user, password);
    const { hashes, own } = this.#hashesFor(user);
    try {
      const isRight = (await this.#compare(password, hashes))[own] ?? false;
      if (digest === this.#digest(user, password)) remember(isRight ? this.#granted : this.#refused, digest);
      if (isRight) this.#delays.succeed(source);
      else this.#delays.fail(source, performance.now());
      return isRight ? "granted" : "refused";
    } catch {
      return "busy";
    } finally {
      this.#waiting--;
    }
  }

  /** One hash for each cost that a user has, so that every name takes as long; `own`: which one is the user's, -1: none. */
  #hashesFor(user: string): { hashes: string[]; own: number } {
    const hash = this.#users.get(user);
    const costs = [...new Set([...this.#users.values()].map(costOf))];
    const own = hash === undefined ? -1 : costs.indexOf(costOf(hash));
    return { hashes: costs.map((cost, i) => (i === own ? hash! : `$2b$${cost}$${NOBODY}`)), own };
  }

  /** Changes with the user's hash. */
  #digest(user: string, password: string): string {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify([user, this.#users.get(user), password]))
      .digest("base64");
  }
}

/** `10` of `$2b$10$...`. */
function costOf(hash: string): string {
  return hash.split("$")[2]!;
}

/** Whether it is there; then it stays longest. */
function renew(set: Set<string>, digest: string): boolean {
  if (!set.delete(digest)) return false;
  set.add(digest);
  return true;
}

function remember(set: Set<string>, digest: string): void {
  if (set.size >= MAX_REMEMBERED) set.delete(set.keys().next().value!);
  set.add(digest);
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
