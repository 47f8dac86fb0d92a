/** What else is asked, beside the packets. A names file is checked by who reads it: names.ts. */

export interface EnrichingOptions {
  readonly numeric?: boolean;
  /** The path of a names file. */
  readonly names?: string;
  /** Who knows where moving services are. */
  readonly registry?: URL;
  /** Hold the packets against connection tracking. */
  readonly conntrack?: boolean;
}
