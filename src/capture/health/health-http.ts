/** Checks that a web server answers 2xx. Does not follow redirects; discards bodies, up to a limit. */
import { get } from "node:http";
import type { HealthTarget } from "./health.js";

const MAX_BODY = 64 * 1024;

export function checkHttp({ address, port, path }: HealthTarget, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(
      {
        host: address,
        port,
        path,
        agent: false,
        signal,
        maxHeaderSize: 16 * 1024,
        headers: { accept: "*/*", connection: "close", "user-agent": "netwatch-health" },
      },
      (response) => {
        const status = response.statusCode ?? 0;
        const redirect = status >= 300 && status < 400 ? " (a redirect)" : "";
        const failure = status >= 200 && status < 300 ? null : `answered with status ${status}${redirect}`;
        let size = 0;
        const end = (why: string | null) => {
          if (why === null) resolve();
          else reject(new Error(why));
          request.destroy();
        };
        response.on("data", (piece: Buffer) => {
          size += piece.length;
          if (size > MAX_BODY) end(failure ?? `answer larger than ${MAX_BODY} bytes`);
        });
        response.on("error", () => end("answer cut short"));
        response.on("end", () => end(response.complete ? failure : "answer cut short"));
      },
    );
    request.on("error", (error: NodeJS.ErrnoException) =>
      reject(error.code?.startsWith("HPE_") ? new Error("the answer is not HTTP") : error),
    );
  });
}
