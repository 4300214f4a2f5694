/** A module as users write them: the starter detector, that notes in a file when it is opened and released. */
import { appendFileSync } from "node:fs";
import { z } from "zod";
import { defineFamily, type FamilyContext, type VadModel } from "../../src/models/family.js";
import { starterVadFamily } from "../../src/models/starter-vad.js";

const options = z.strictObject({ notes: z.string() });

export const recordingFamily = defineFamily({
  name: "recording-vad",
  task: "vad",
  options,
  open: async ({ notes }: z.infer<typeof options>, context: FamilyContext): Promise<VadModel> => {
    const vad = await starterVadFamily.open({}, context);
    const threads = context.session?.threads;
    appendFileSync(notes, `opened on ${vad.device}, ${threads} threads\n`);
    const release = vad.release.bind(vad);
    vad.release = async () => {
      await release();
      appendFileSync(notes, "released\n");
    };
    return vad;
  },
});
