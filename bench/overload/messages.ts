/** What the bench and its callers, a process of their own, say to each other. */

export interface Offer {
  readonly url: string;
  readonly graph: string;
  /** 16 kHz mono s16 as base64. */
  readonly recordings: readonly string[];
  readonly callsPerSecond: number;
  /** Mean time from open to hanging up; each call's own lies between half and three halves of it. */
  readonly lifeMs: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

/** Of the time after the warming. Milliseconds. */
export interface Offered {
  readonly offered: number;
  readonly admitted: number;
  /** From the request to the 503. */
  readonly refusalMs: readonly number[];
  readonly final: readonly number[];
  readonly ttfa: readonly number[];
  readonly sendLateMs: readonly number[];
  readonly faults: number;
  readonly mostOpen: number;
}
