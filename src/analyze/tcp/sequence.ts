/** Sequence numbers compare modulo 2^32 (RFC 9293 3.4): how far `a` lies behind `b`; negative: before it. */
export function after(a: number, b: number): number {
  return (a - b) | 0;
}
