/**
 * A small server with the parts of Vault's HTTP API that are documented (developer.hashicorp.com/vault/api-docs: secret/kv/kv-v2,
 * system/init, system/unseal, system/seal-status, system/mounts, system/policies, auth/token) and used here. Policies are limited to
 * their paths and the capability `read`; root may do everything. Undocumented behaviour of Vault is missing.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export const ROOT = "hvs.root-token-of-the-test";

interface Reply {
  status: number;
  body?: unknown;
}

export class FakeVault {
  readonly secrets = new Map<string, string>();
  readonly mounts = new Map<string, { type: string; options: Record<string, string> | null }>([
    ["sys/", { type: "system", options: null }],
  ]);
  readonly policies = new Map<string, string>();
  /** Policy names by token. */
  readonly tokens = new Map<string, readonly string[]>([[ROOT, ["root"]]]);
  initialized = true;
  sealed = false;
  readonly requests: string[] = [];
  /** Replaces the API's answers in tests of odd ones. */
  odd: ((request: IncomingMessage, response: ServerResponse) => void) | null = null;
  readonly #shares = ["a2V5LTE=", "a2V5LTI=", "a2V5LTM=", "a2V5LTQ=", "a2V5LTU="];
  #given = new Set<string>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      if (this.odd) return this.odd(request, response);
      void this.#answer(request).then(({ status, body }) => {
        response.writeHead(status, { "content-type": "application/json" });
        response.end(body === undefined ? "" : JSON.stringify(body));
      });
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage): Promise<Reply> {
    const sent = await text(request);
    const body = sent === "" ? {} : JSON.parse(sent);
    const path = (request.url ?? "").replace(/^\/v1\//, "");
    this.requests.push(`${request.method} ${path}`);
    if (path === "sys/seal-status") return { status: 200, body: this.#state() };
    if (path === "sys/init") return this.#init(body);
    if (path === "sys/unseal") return this.#unseal(body);
    if (this.sealed || !this.initialized) return errors(503, "Vault is sealed");
    const policies = this.tokens.get(String(request.headers["x-vault-token"]));
    if (!policies) return errors(403, "permission denied");
    const isRoot = policies.includes("root");
    const mayRead =
      request.method === "GET" && policies.some((name) => allows(this.policies.get(name) ?? "", path));
    if (!isRoot && !mayRead) return errors(403, "permission denied");
    return this.#route(request.method ?? "", path, body);
  }

  #route(method: string, path: string, body: Record<string, unknown>): Reply {
    if (path === "sys/mounts") return { status: 200, body: { data: Object.fromEntries(this.mounts) } };
    const [, mount] = /^sys\/mounts\/(.+)$/.exec(path) ?? [];
    if (mount !== undefined) {
      this.mounts.set(`${mount}/`, body as never);
      return { status: 204 };
    }
    const [, policy] = /^sys\/policies\/acl\/(.+)$/.exec(path) ?? [];
    if (policy !== undefined) {
      this.policies.set(policy, (body as { policy: string }).policy);
      return { status: 204 };
    }
    if (path === "auth/token/create") {
      const token = `hvs.${this.tokens.size}`;
      this.tokens.set(token, (body as { policies: string[] }).policies);
      return { status: 200, body: { auth: { client_token: token, policies: body.policies } } };
    }
    return this.#data(method, path, body);
  }

  #data(method: string, path: string, body: unknown): Reply {
    const [, mount, name] = /^([^/]+)\/data\/(.+)$/.exec(path) ?? [];
    if (name === undefined || this.mounts.get(`${mount}/`)?.options?.version !== "2") return errors(404);
    const known = this.secrets.get(name);
    if (method === "GET")
      return known === undefined
        ? errors(404)
        : { status: 200, body: { data: { data: { value: known }, metadata: { version: 1 } } } };
    const { options, data } = body as { options: { cas?: number }; data: { value: string } };
    if (options.cas === 0 && known !== undefined)
      return errors(400, "check-and-set parameter did not match the current version");
    this.secrets.set(name, data.value);
    return { status: 200, body: { data: { version: 1, created_time: "2026-11-22T00:00:00Z" } } };
  }

  #init({ secret_shares: shares, secret_threshold: threshold }: Record<string, number>): Reply {
    if (this.initialized) return errors(400, "Vault is already initialized");
    if (shares !== 5 || threshold !== 3) return errors(400, "invalid seal configuration");
    this.initialized = true;
    this.sealed = true;
    return { status: 200, body: { keys: this.#shares, keys_base64: this.#shares, root_token: ROOT } };
  }

  #unseal({ key }: Record<string, string>): Reply {
    if (this.#shares.includes(key!)) this.#given.add(key!);
    if (this.#given.size >= 3) this.sealed = false;
    return { status: 200, body: { sealed: this.sealed, t: 3, n: 5, progress: this.#given.size % 3 } };
  }

  #state() {
    return {
      type: "shamir",
      initialized: this.initialized,
      sealed: this.sealed || !this.initialized,
      t: 3,
      n: 5,
    };
  }
}

function errors(status: number, ...messages: string[]): Reply {
  return { status, body: { errors: messages } };
}

/** `path "x" { capabilities = ["read"] }`, with a star at the end or without. */
function allows(policy: string, path: string): boolean {
  return [...policy.matchAll(/path "([^"]+)" \{\s*capabilities = \["read"\]\s*\}/g)].some(([, pattern]) =>
    pattern!.endsWith("*") ? path.startsWith(pattern!.slice(0, -1)) : path === pattern,
  );
}
