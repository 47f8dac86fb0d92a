/** The state of a packet socket's interface (packet(7)). */
import { type Libc, libc } from "../kernel/libc.js";

/** Milliseconds that a deletion may follow after an interface goes down. */
const GONE_MS = 200;

/** Index of the interface that a socket is bound to; 0 or less: none, it was deleted. */
export function boundTo(c: Libc, fd: number): number {
  const IFINDEX = 4; // struct sockaddr_ll
  const address = new Uint8Array(20);
  c.getsockname(fd, address);
  return new DataView(address.buffer).getInt32(IFINDEX, true);
}

/** Why the interface gives no more packets. A deleted one first goes down; the deletion shows a moment later. */
export async function whyEnded(fd: number, isClosed: () => boolean): Promise<string> {
  for (let waited = 0; waited < GONE_MS; waited += GONE_MS / 10) {
    if (isClosed() || boundTo(libc(), fd) <= 0) return "the interface is gone";
    await new Promise((resolve) => setTimeout(resolve, GONE_MS / 10));
  }
  return "the interface went down";
}
