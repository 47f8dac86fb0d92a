/** Checks that a server accepts a TCP connection. Other checks over TCP start here. */
import { connect, type Socket } from "node:net";
import type { HealthTarget } from "./health.js";

/** A longer answer fails the check. */
const MAX_ANSWER = 4096;

export async function checkTcp(target: HealthTarget, signal: AbortSignal): Promise<void> {
  await converse(target, signal, null, () => true);
}

/**
 * Connects, sends `question` (null: nothing), and returns the answer once `isWhole` accepts it; at once if nothing was sent.
 * Rejects with the system's error, or one that says what was wrong. Always closes the socket.
 */
export function converse(
  { address, port }: Pick<HealthTarget, "address" | "port">,
  signal: AbortSignal,
  question: Uint8Array | null,
  isWhole: (answer: Buffer) => boolean,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: address, port });
    let answer = Buffer.alloc(0);
    const end = (error: Error | null) => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      if (error === null) resolve(answer);
      else reject(error);
    };
    const abort = () => end(new Error("given up"));
    signal.addEventListener("abort", abort);
    socket.on("connect", () => {
      if (question === null) end(null);
      else socket.write(question);
    });
    socket.on("data", (piece: Buffer) => {
      answer = Buffer.concat([answer, piece]);
      if (isWhole(answer)) end(null);
      else if (answer.length > MAX_ANSWER) end(new Error(`answer larger than ${MAX_ANSWER} bytes`));
    });
    socket.on("error", end);
    socket.on("close", () => end(new Error("hung up without an answer")));
  });
}
