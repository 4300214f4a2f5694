/** No stages at all: frames come back at once. What remains is the generator's own cost. */
import type { OpenPipe } from "./pipe.js";

export const openNoPipe: OpenPipe = async (_callCount, received) => ({
  send(slot, pcm) {
    received(slot, pcm, 0, pcm.length);
    return true;
  },
  flush: () => {},
  close: async () => {},
});
