/** What of @evan/opus's WebAssembly build is used; the package has types for its native one alone. */
declare module "@evan/opus/wasm/index.mjs" {
  export class Encoder {
    constructor(options: {
      readonly channels: 1 | 2;
      readonly sample_rate: number;
      readonly application: "voip" | "audio" | "restricted_lowdelay";
    });
    /** One packet of a frame of s16 samples. */
    encode(pcm: Int16Array): Uint8Array;
    /** Gets without an argument, sets with one. */
    ctl(request: number, value?: number): number;
    drop(): void;
  }
}
