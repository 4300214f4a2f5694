import { spelledPhones } from "../../pronunciation/letter-to-sound.js";
import { phoneLabels } from "./phones.js";

/** @param word lower-case letters; others are skipped. @returns label indices, empty if nothing could be said */
export function letterToSound(word: string): number[] {
  return phoneLabels(spelledPhones(word).join(" "));
}
