import { createConnection } from "node:net";
import { STATE_DIR } from "../host/state.js";
import type { Instance } from "../topology.js";

const REDIS_SOCKET = `${STATE_DIR}/redis/redis.sock`;

/** A pure cache: it never writes a file. */
export function redisConfig(instance: Instance): string {
  return [
    `bind ${instance.address}`,
    `port ${instance.ports[0]}`,
    `unixsocket ${REDIS_SOCKET}`,
    "unixsocketperm 700",
    "protected-mode no",
    "daemonize no",
    'save ""',
    "appendonly no",
    "maxmemory 32mb",
    "maxmemory-policy allkeys-lru",
    "enable-protected-configs no",
    "enable-module-command no",
    `dir ${STATE_DIR}/redis`,
    "",
  ].join("\n");
}

/** Asks over the socket file, which no rule or namespace blocks. */
export function pingRedis(timeoutMs = 500): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(REDIS_SOCKET, () => socket.write("PING\r\n"));
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.on("error", () => finish(false));
    socket.on("data", (data) => finish(data.toString("latin1").startsWith("+PONG")));
  });
}
