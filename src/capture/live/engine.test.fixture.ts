/** A make-believe container engine on a unix socket: answers as the Docker API does, or badly. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface FakeEngine {
  readonly socket: string;
  /** Paths asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Listens on a socket of its own in a fresh folder. */
export async function startEngine(answer: RequestListener): Promise<FakeEngine> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-engine-"));
  const socket = join(folder, "engine.sock");
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Answers each path with a JSON value, others with 404 as the engine does. */
export function answering(
  values: Readonly<Record<string, unknown>>,
  headers: Record<string, string> = { "api-version": "1.48", server: "Docker/28.2.2 (linux)" },
): RequestListener {
  return (request, response) => {
    const found = Object.hasOwn(values, request.url ?? "");
    response.writeHead(found ? 200 : 404, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(found ? values[request.url!] : { message: "page not found" }));
  };
}

const ID_WEB = "8dfafdbc3a40e0d3c1a1a8a5cb9d0f0e7c6b5a4938271605f4e3d2c1b0a99887";

/** One entry of GET /containers/json, in the shape of API 1.48's documentation. */
export function containerJson(
  id: string,
  name: string,
  networks: Readonly<Record<string, { IPAddress: string; GlobalIPv6Address?: string }>>,
  labels: Readonly<Record<string, string>> = {},
): unknown {
  return {
    Id: id.padEnd(64, "0"),
    Names: [`/${name}`],
    Image: "shop/product",
    ImageID: "sha256:d74508fb6632491cea586a1fd7d748dfc5274cd6fdfedee309ecdcbc2bf5cb82",
    Command: "node dist/main.js",
    Created: 1367854155,
    State: "running",
    Status: "Up 5 minutes",
    Ports: [{ PrivatePort: 8001, Type: "tcp" }],
    Labels: labels,
    SizeRw: 12288,
    HostConfig: { NetworkMode: Object.keys(networks)[0] ?? "none" },
    NetworkSettings: {
      Networks: Object.fromEntries(
        Object.entries(networks).map(([network, addresses]) => [
          network,
          {
            NetworkID: "7ea29fc1412292a2d7bba362f9253545fecdfa8ce9a6e37dd10ba8bee7129812",
            EndpointID: "2cdc4edb1ded3631c81f57966563e5c8525b81121bb3706a9a9a3ae102711f3f",
            Gateway: "172.21.0.1",
            IPPrefixLen: 16,
            GlobalIPv6Address: "",
            MacAddress: "02:42:ac:11:00:02",
            ...addresses,
          },
        ]),
      ),
    },
    Mounts: [],
  };
}

const compose = (service: string, number: number, project = "shop") => ({
  "com.docker.compose.project": project,
  "com.docker.compose.service": service,
  "com.docker.compose.container-number": String(number),
  "com.docker.compose.oneoff": "False",
});

/** A compose project, a container started by hand, and one whose name is hostile. */
export const CONTAINERS: unknown[] = [
  containerJson(ID_WEB, "shop-web-1", { shop_frontend: { IPAddress: "172.20.0.5" } }, compose("web", 1)),
  containerJson(
    "aa1",
    "shop-product-1",
    { shop_backend: { IPAddress: "172.21.0.3" } },
    compose("product", 1),
  ),
  containerJson(
    "aa2",
    "shop-product-2",
    { shop_backend: { IPAddress: "172.21.0.4", GlobalIPv6Address: "fd00:0:0::4" } },
    compose("product", 2),
  ),
  containerJson("bb1", "eager_hopper", { bridge: { IPAddress: "172.17.0.2" } }),
  containerJson(
    "cc1",
    "__proto__",
    { bridge: { IPAddress: "172.17.0.3" } },
    { "com.docker.compose.service": "" },
  ),
  containerJson("dd1", "on-the-host", { host: { IPAddress: "" } }),
];

/** Entries of GET /networks. */
export const NETWORKS: unknown[] = [
  {
    Name: "bridge",
    Id: "f2de39df4171b0dc801e8002d1d999b77256983dfc63041c0f34030aa3977566",
    Created: "2016-10-19T06:21:00.416543526Z",
    Scope: "local",
    Driver: "bridge",
    EnableIPv6: false,
    IPAM: { Driver: "default", Config: [{ Subnet: "172.17.0.0/16", Gateway: "172.17.0.1" }] },
    Internal: false,
    Options: {
      "com.docker.network.bridge.default_bridge": "true",
      "com.docker.network.bridge.name": "docker0",
    },
  },
  {
    Name: "shop_backend",
    Id: "7d86d31b1478e7cca9ebed7e73aa0fdeec46c5ca29497431d3007d2d9e15ed99",
    Driver: "bridge",
    IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "172.21.0.0/16" }, { Subnet: "not one" }] },
    Options: {},
    Labels: { "com.docker.compose.network": "backend" },
  },
  { Name: "host", Id: "0b".repeat(32), Driver: "host", IPAM: { Config: null }, Options: null },
  { Name: "none", Id: "0c".repeat(32), Driver: "null", IPAM: { Config: [] }, Options: {} },
];
