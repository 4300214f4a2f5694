import type { Face } from "./face.js";
import { native } from "./native.js";
import { pipecat } from "./pipecat.js";

/** Every wire protocol the server speaks. A new one is one file and one line here. */
const FACE_LIST: readonly Face[] = [native, pipecat];

export const FACES: ReadonlyMap<string, Face> = new Map(FACE_LIST.map((face) => [face.name, face]));
