/** Options of further sources besides packets. A names file is checked by who reads it: names.ts. */

export interface EnrichingOptions {
  readonly numeric?: boolean;
  /** The path of a names file. */
  readonly names?: string;
  /** URL of the registry of moving services. */
  readonly registry?: URL;
  /** Compare the packets with connection tracking. */
  readonly conntrack?: boolean;
}
