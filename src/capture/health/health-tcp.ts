/** A server that takes a TCP connection. The other checks that speak TCP themselves begin here. */
import { connect, type Socket } from "node:net";
import type { HealthTarget } from "./health.js";

/** An answer longer than this is none. */
const MAX_ANSWER = 4096;

export async function checkTcp(target: HealthTarget, signal: AbortSignal): Promise<void> {
  await converse(target, signal, null, () => true);
}

/**
 * Connects, sends `question` (null: nothing), and gives what came once `isWhole` says so; at once where nothing was asked.
 * Rejects with the system's error, or one that says what was wrong. Leaves no socket behind.
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
