import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { readPlan } from "../host/state.js";
import { LabError } from "../lab-error.js";
import { dropRoot } from "../service/identity.js";

/** Plays the internet: answers every given TCP port with one line over HTTP, and echoes UDP on port 53. */
export async function startInternet(name: string): Promise<void> {
  const outside = readPlan().outside.find((candidate) => candidate.name === name);
  if (!outside) throw new LabError(`no outside host is called ${name}`, 2);
  dropRoot();
  for (const port of outside.ports) {
    const server = createServer((socket) => {
      socket.setTimeout(5000, () => socket.destroy());
      socket.on("error", () => socket.destroy());
      const from = socket.remoteAddress ?? "";
      socket.once("data", () =>
        socket.end(
          `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${from.length}\r\nconnection: close\r\n\r\n${from}`,
        ),
      );
    });
    server.maxConnections = 200;
    server.listen(port, outside.address);
  }
  const echo = createSocket("udp4");
  echo.on("message", (message, from) => {
    if (message.length <= 512) echo.send(message, from.port, from.address);
  });
  echo.bind(53, outside.address);
  const stop = (): never => process.exit(0);
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
