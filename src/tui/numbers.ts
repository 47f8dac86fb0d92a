/** Numbers as the monitor shows them: bits or bytes, a second or in all. */
import { formatBytes, formatRate } from "../format.js";

const BIT_UNITS = ["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit"] as const;

/** Bits in decimal units, as lines are rated: `1.5 Mbit`. */
function formatBits(bits: number): string {
  let value = bits;
  let unit = 0;
  while (value >= 999.95 && unit < BIT_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${Math.round(value)} bit` : `${value.toFixed(1)} ${BIT_UNITS[unit]}`;
}

export function amount(bytes: number, bits: boolean): string {
  return bits ? formatBits(bytes * 8) : formatBytes(bytes);
}

export function rate(bytesPerSecond: number, bits: boolean): string {
  return bits ? `${formatBits(bytesPerSecond * 8)}/s` : formatRate(bytesPerSecond);
}
