/** `1 packet`, `2 packets`: of a noun whose plural ends in s. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
