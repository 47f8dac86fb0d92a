/** What a packet socket (packet(7)) tells of its interface. */
import { type Libc, libc } from "../kernel/libc.js";

/** How long an interface that went down may take to be gone. */
const GONE_MS = 200;

/** Index of the interface that a socket is bound to; not above 0: of none, it is gone. */
export function boundTo(c: Libc, fd: number): number {
  const IFINDEX = 4; // struct sockaddr_ll
  const address = new Uint8Array(20);
  c.getsockname(fd, address);
  return new DataView(address.buffer).getInt32(IFINDEX, true);
}

/** Why the interface gives no more. One that is deleted goes down first: whether it also goes away shows a moment later. */
export async function whyEnded(fd: number, isClosed: () => boolean): Promise<string> {
  for (let waited = 0; waited < GONE_MS; waited += GONE_MS / 10) {
    if (isClosed() || boundTo(libc(), fd) <= 0) return "the interface is gone";
    await new Promise((resolve) => setTimeout(resolve, GONE_MS / 10));
  }
  return "the interface went down";
}
