/** Writes packets into a named pipe, whose reader may stop at any moment. */
import { constants } from "node:fs";
import { Socket } from "node:net";
import type { ByteStream } from "../../capture/file/recorder.js";
import { CommandError, ExitCode } from "../../exit.js";
import { openOutput } from "../../output-path.js";

/** Longest wait for a slow reader at the end of the run. */
const PATIENCE_MS = 2000;

/**
 * Opens a named pipe, which waits for its reader. The stream waits for each piece to be read, but only briefly after the signal:
 * then it throws CommandError. Throws the system's error if it cannot be opened, or the reader has gone (EPIPE). Open until the
 * process ends.
 */
export function openPipe(path: string, signal: AbortSignal): ByteStream {
  const { fd } = openOutput(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  const socket = new Socket({ fd, readable: false, writable: true });
  // Each write handles its own errors.
  socket.on("error", () => {});
  return async (pieces) => {
    for (const piece of pieces) await write(socket, piece, signal, path);
  };
}

function write(socket: Socket, piece: Uint8Array, signal: AbortSignal, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const giveUp = () => {
      const what = `${path}: its reader has stopped to read: the last packets are not in it`;
      end(new CommandError(ExitCode.unwritable, what));
      socket.destroy();
    };
    const hurry = () => {
      timer = setTimeout(giveUp, PATIENCE_MS);
    };
    const end = (error?: Error | null) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", hurry);
      if (error) reject(error);
      else resolve();
    };
    if (signal.aborted) hurry();
    else signal.addEventListener("abort", hurry);
    socket.write(piece, end);
  });
}
