/** Words of English text whose full stop seldom ends a sentence, by what tells. Lower case, without the last stop. */

/** A name follows: never the end of a sentence. */
export const ABBREVIATIONS_BEFORE_CAPITALS = setOf(
  "dr mr mrs ms mx prof st mt ft gen rep sen gov pres capt cpt lt col maj sgt cmdr rev hon fr messrs mmes e.g i.e cf vs viz",
);

/** Inside a sentence lower case or a number follows; a capital begins a new one. Like all dotted words: "a.m.", "p.m.". */
export const ABBREVIATIONS_BEFORE_LOWER_CASE = setOf(
  "etc inc ltd co corp bros jr sr dept est approx al ave blvd rd hwy apt ca min max temp tel ext incl hr hrs sec secs mins",
);

/** Only before a number: "No. 5", "Fig. 2", "Jan. 3"; "No." alone is an answer. */
export const ABBREVIATIONS_BEFORE_NUMBERS = setOf(
  "no nos nr fig figs p pp vol ch art eq para jan feb mar apr jun jul aug sep sept oct nov dec",
);

function setOf(words: string): ReadonlySet<string> {
  return new Set(words.split(" "));
}
