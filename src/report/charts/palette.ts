/** Colours with a meaning. Protocols: Okabe and Ito's set, which stays distinct for common forms of colour blindness. */

const PROTOCOL_COLORS: ReadonlyMap<string, string> = new Map([
  ["TCP", "#0072b2"],
  ["UDP", "#e69f00"],
  ["ICMP", "#009e73"],
  ["ICMPv6", "#009e73"],
  ["ARP", "#cc79a7"],
  ["OTHER", "#8c8c8c"],
]);
const OTHER_IP_COLOR = "#56b4e9";

/** Bars, edges and cells of services: no protocol's colour. */
export const SERVICE_COLOR = "#4a5f7a";

/** The two sides of a comparison. */
export const MODE_COLORS = [SERVICE_COLOR, "#d55e00"] as const;

/** The colour of a protocol, or of a class of the throughput series, on every chart. */
export function protocolColor(name: string): string {
  return PROTOCOL_COLORS.get(name) ?? OTHER_IP_COLOR;
}

/** The median and the high percentiles: one hue, darker to lighter. */
export const QUANTILE_COLORS = ["#143c61", "#41749f", "#88abcb"] as const;

/** Light to dark, one hue, even steps of lightness. */
const HEAT = [
  "#eaf0f6",
  "#d0deeb",
  "#afc7dd",
  "#88abcb",
  "#6190b8",
  "#41749f",
  "#285882",
  "#143c61",
] as const;
/** From this heat on the text is white. */
const FIRST_DARK = 4;

/** The fill and the text colour of a heat of 0 to 1. */
export function heatColor(heat: number): { fill: string; text: string } {
  const step = Math.min(HEAT.length - 1, Math.max(0, Math.floor(heat * HEAT.length)));
  return { fill: HEAT[step]!, text: step < FIRST_DARK ? "#1b1f23" : "#ffffff" };
}

export const HEAT_STEPS = HEAT.length;
