/** Number formats of the monitor: bits or bytes, per second or in total. */
import { formatBytes, formatCount, formatRate } from "../../format.js";

const BIT_UNITS = ["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit"] as const;

/** Bits in decimal units, as for network links: `1.5 Mbit`. */
function formatBits(bits: number): string {
  let value = bits;
  let unit = 0;
  while (value >= 999.95 && unit < BIT_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${Math.round(value)} bit` : `${value.toFixed(1)} ${BIT_UNITS[unit]}`;
}

/** Rate per second: `0.4/s`, `12/s`. */
export function formatFrequency(perSecond: number): string {
  return `${perSecond < 9.95 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond))}/s`;
}

export function amount(bytes: number, bits: boolean): string {
  return bits ? formatBits(bytes * 8) : formatBytes(bytes);
}

export function rate(bytesPerSecond: number, bits: boolean): string {
  return bits ? `${formatBits(bytesPerSecond * 8)}/s` : formatRate(bytesPerSecond);
}
