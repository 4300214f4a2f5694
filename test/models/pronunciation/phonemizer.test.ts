import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { isSyrinxError } from "../../../src/base/errors.js";
import type { IpaAlphabet } from "../../../src/models/pronunciation/ipa.js";
import { openPhonemizer, type Phonemizer, phonemizeEnglish } from "../../../src/models/pronunciation/phonemizer.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-phonemes-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const said = (text: string, alphabet: IpaAlphabet = "misaki"): string =>
  phonemizeEnglish(text, alphabet)
    .map(({ phonemes }) => phonemes)
    .join(" ");

/** A file with this code, as an option names it. */
function moduleFile(name: string, code: string): string {
  writeFileSync(join(folder, name), code);
  return `./${name}`;
}

const openModule = (module: string, language: string, alphabet: IpaAlphabet = "espeak"): Promise<Phonemizer> =>
  openPhonemizer({ language, phonemizer: { module } }, alphabet, folder);

async function rejectsWith(code: string, opening: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(isSyrinxError(error) && error.code === code, String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe("English phonemes", () => {
  test("are Kokoro's own for words of its published samples", () => {
    // hexgrad/Kokoro-82M, SAMPLES.md, af_heart_0; there "to" is "tə" before a vowel too, and "ʧˈænᵊl" is shorter.
    assert.equal(
      said("The sky above the port was the color of television, tuned to a dead channel."),
      "ðə skˈI əbˈʌv ðə pˈɔɹt wʌz ðə kˈʌləɹ ʌv tˈɛləvˌɪʒən, tˈund tu ɐ dˈɛd ʧˈænəl.",
    );
  });

  test("are espeak's for voices that learnt from it", () => {
    assert.equal(said("Hello, my friend Roy. How are you?", "espeak"), "həlˈoʊ, maɪ fɹˈɛnd ɹˈɔɪ. hˈaʊ ɑːɹ juː?");
    assert.equal(said("hurry, better boxes", "espeak"), "hˈɜːɹi, bˈɛɾɚ bˈɑːksᵻz");
    assert.equal(said("I added what I did", "espeak"), "aɪ ˈædᵻd wˈʌt aɪ dɪd");
  });

  test("read numbers, amounts, times and dates as words", () => {
    const reads: readonly (readonly [string, string])[] = [
      ["$3.50", "three dollars and fifty cents"],
      ["$5 million", "five million dollars"],
      ["1,250", "one thousand two hundred fifty"],
      ["1999", "nineteen ninety nine"],
      ["in 2005", "in two thousand five"],
      ["the 1990s", "the nineteen nineties"],
      ["10:05 am today", "ten oh five A.M. today"],
      ["at 10:00", "at ten o'clock"],
      ["21st", "twenty first"],
      ["3.14", "three point one four"],
      ["-5%", "minus five percent"],
      ["5-10 km", "five to ten km"],
      ["5km", "five kilometers"],
      ["007", "zero zero seven"],
      ["555-123-4567", "five five five one two three four five six seven"],
      ["No. 5", "number five"],
      ["me@example.com", "me at example dot com"],
    ];
    for (const [written, read] of reads) assert.equal(said(written), said(read), written);
  });

  test("tell abbreviations from sentence ends, and acronyms from words", () => {
    assert.equal(said("Dr. Smith went to St. Ives."), said("doctor Smith went to saint Ives."));
    assert.equal(said("at 10 a.m. tomorrow"), said("at ten A.M. tomorrow"));
    assert.equal(said("No. Maybe."), "nˈO. mˈAbi.");
    assert.equal(said("The FBI in the US"), "ði ˈɛfbˈiˈI ɪn ðə jˌuˈɛs");
    assert.equal(said("Tell us of NASA"), "tˈɛl ʌs ʌv nˈæsə");
    assert.equal(said("STOP NOW"), said("stop now"));
  });

  test("know words that only grow from the dictionary's, and guess at the rest", () => {
    assert.equal(said("voicebot's"), "vˈYsbˌɔts");
    assert.equal(said("kubernetes"), "kˈʌbəɹnɛɾɪz");
    assert.equal(said("blogged"), `${said("blog")}d`);
  });

  test("keep the punctuation that is heard", () => {
    assert.equal(said('(well), "no"... — ever?!'), '(wˈɛl), "nˈO"…— ˈɛvəɹ?!');
    assert.equal(said("*so* [what]"), "sˈO wˈʌt");
  });

  test("stand with the words of the text, whatever is said for them", () => {
    const words = phonemizeEnglish("  Pay $20 - now, to Dr. Who™ ☎ ", "misaki");
    assert.deepEqual(
      words.map(({ text }) => text),
      ["Pay", "$20 —", "now,", "to", "Dr.", "Who™ ☎"],
    );
    assert.equal(words[1]!.phonemes, "twˈɛnti dˈɑləɹz—");
  });

  test("have only symbols of their alphabet, for any text", () => {
    const inventory: Record<IpaAlphabet, RegExp> = {
      misaki: /^[bdfhijklmnpstuvwzðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧˈˌθᵊɐæɾᵻAIOWY ;:,.!?—…"()“”]*$/,
      espeak: /^[abdefhijklmnopstuvwzðŋɑɔəɚɛɜɡɪɹʃʊʌʒˈˌːθɐæɾᵻ ;:,.!?—…"()“”]*$/,
    };
    const text = fc.string({ unit: "grapheme", maxLength: 60 });
    const alike = fc.stringMatching(/^[A-Za-z0-9$.,:'%@ -]{0,40}$/);
    fc.assert(
      fc.property(fc.oneof(text, alike), fc.constantFrom<IpaAlphabet>("misaki", "espeak"), (written, alphabet) => {
        assert.match(said(written, alphabet), inventory[alphabet]);
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});

describe("a phonemizer module", () => {
  test("is given pieces without punctuation, which is kept around them", async () => {
    const module = moduleFile(
      "upper.mjs",
      "export const phonemize = async (text, language) => [language + ':' + text.toUpperCase()];",
    );
    const phonemizer = await openModule(module, "de");
    const words = await phonemizer.phonemize("Guten Tag, (liebe) Welt!");
    assert.deepEqual(words, [
      { text: "Guten", phonemes: "de:GUTEN" },
      { text: "Tag,", phonemes: "TAG," },
      { text: "(liebe)", phonemes: "(de:LIEBE)" },
      { text: "Welt!", phonemes: "de:WELT!" },
    ]);
  });

  test("may run words together, which then are one span", async () => {
    const module = moduleFile("joined.mjs", "export const phonemize = (text) => text.replace('of the', 'ʌvðə');");
    const words = await (await openModule(module, "en-us")).phonemize("out of the box.");
    assert.deepEqual(words, [{ text: "out of the box.", phonemes: "out ʌvðə box." }]);
  });

  test("writes espeak's IPA, which a voice of misaki's gets in its own symbols", async () => {
    const ipa = "dʒˈɔɪ tʃˈeɪndʒ ɡˈoʊ nˈaʊ lˈaɪf bˈɜːd bˈɛɾɚ lˈɪɾəl";
    const module = moduleFile("espeak.mjs", `export const phonemize = () => "${ipa}";`);
    const [words] = await (await openModule(module, "en-us", "misaki")).phonemize("anything");
    assert.equal(words?.phonemes, "ʤˈY ʧˈAnʤ ɡˈO nˈW lˈIf bˈɜɹd bˈɛɾəɹ lˈɪɾᵊl");
  });

  test("that fails costs the text, not more", async () => {
    const module = moduleFile("fails.mjs", "export const phonemize = () => { throw new Error('no such voice'); };");
    await rejectsWith("TTS_FAILED", (await openModule(module, "xx")).phonemize("hi"), /no such voice/);
  });

  test("that cannot be used is refused with the reason", async () => {
    await rejectsWith("TTS_PHONEMIZER_INVALID", openModule("./none.mjs", "de"), /none\.mjs/);
    await rejectsWith("TTS_PHONEMIZER_INVALID", openModule("no-such-package-here", "de"), /no-such-package-here/);
    const empty = moduleFile("empty.mjs", "export const speak = 1;");
    await rejectsWith("TTS_PHONEMIZER_INVALID", openModule(empty, "de"), /no function phonemize/);
  });

  test("is needed for other languages than American English", async () => {
    await rejectsWith("TTS_LANGUAGE_UNKNOWN", openPhonemizer({ language: "de" }, "espeak", folder), /de$/);
    assert.equal((await (await openPhonemizer({ language: "en" }, "espeak", folder)).phonemize("go")).length, 1);
  });
});
