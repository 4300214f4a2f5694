/** A module as users write them: the starter detector, that notes in a file when it is opened, dies and is released. */
import { appendFileSync, readFileSync } from "node:fs";
import { z } from "zod";
import { AssertionFailure } from "../../src/base/assert.js";
import { defineFamily, type FamilyContext, type VadModel } from "../../src/models/family.js";
import { starterVadFamily } from "../../src/models/starter-vad.js";

/** It dies at its first step, so often, over all that open it. */
const options = z.strictObject({ notes: z.string(), deaths: z.int().default(0) });

export const recordingFamily = defineFamily({
  name: "recording-vad",
  task: "vad",
  options,
  open: async ({ notes, deaths }: z.infer<typeof options>, context: FamilyContext): Promise<VadModel> => {
    const vad = await starterVadFamily.open({}, context);
    const threads = context.session?.threads;
    appendFileSync(notes, `opened on ${vad.device}, ${threads} threads\n`);
    const release = vad.release.bind(vad);
    vad.release = async () => {
      await release();
      appendFileSync(notes, "released\n");
    };
    const step = vad.step.bind(vad);
    vad.step = async (...batch) => {
      const died = readFileSync(notes, "utf8").match(/^died$/gm)?.length ?? 0;
      if (died < deaths) {
        appendFileSync(notes, "died\n");
        throw new AssertionFailure("it was asked to die");
      }
      return step(...batch);
    };
    return vad;
  },
});
