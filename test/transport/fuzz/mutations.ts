/** Messages gone wrong: what clients with bugs, and people with bad intentions, make of good ones. */
import type { Prng } from "../../../src/base/prng.js";

export interface Message {
  readonly data: Uint8Array;
  readonly isBinary: boolean;
}

export function text(value: unknown): Message {
  return { data: Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), isBinary: false };
}

export function binary(data: Uint8Array): Message {
  return { data, isBinary: true };
}

/** How a protocol packs JSON into a message; by default it is the message. */
export interface Packing {
  /** `undefined`: there is no JSON in it. */
  unpack(message: Message): string | undefined;
  pack(json: string): Message;
}

export const PLAIN: Packing = {
  unpack: ({ data, isBinary }) => (isBinary ? undefined : Buffer.from(data).toString()),
  pack: text,
};

const LONG = "x".repeat(9_000);
const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

/** Texts of JSON, so that those are there which no value of JavaScript becomes. */
const ODD_JSON = [
  "null",
  "true",
  "0",
  "-1",
  "0.5",
  "-0",
  "1e999",
  "-1e999",
  "1e-320",
  "9007199254740993",
  "4294967296",
  '""',
  '"0"',
  '"-1"',
  '"NaN"',
  '"true"',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '"\\r\\nset-cookie: a=b"',
  `"${LONG}"`,
  "[]",
  "[null]",
  '[[[["a"]]]]',
  nested(500),
  "{}",
  '{"toString":1,"valueOf":2,"length":-1}',
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"isAdmin":true}}}',
] as const;

/** What is no JSON at all. */
const BROKEN_JSON = [
  "",
  " ",
  "{",
  "}",
  "nul",
  "NaN",
  "undefined",
  '{"type":',
  "\ufeff{}",
  nested(20_000),
  LONG,
] as const;
const EXTRA_KEYS = ["__proto__", "constructor", "toJSON", "then", "channel", "type", "id", ""] as const;
const KEY = "\u0001odd\u0001";

/** Every path of a JSON value, as lists of keys; the empty one is the whole. */
export function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

/** The JSON text with something else, as text, at a path. */
function replaced(json: string, path: readonly string[], by: string): string {
  if (path.length === 0) return by;
  const root = JSON.parse(json) as Record<string, unknown>;
  let at = root;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[path.at(-1)!] = KEY;
  return JSON.stringify(root).replace(JSON.stringify(KEY), () => by);
}

function without(json: string, path: readonly string[]): string {
  return path.length === 0
    ? ""
    : replaced(json, path, "null")
        .replace(/"[^"]*":null,?/, "")
        .replace(",}", "}");
}

/** Wrong types at every path, each key missing, keys that nobody asked for, and whole messages that are no JSON. */
export function* wrongJson(message: Message, { unpack, pack }: Packing): Generator<Message> {
  const json = unpack(message);
  if (json === undefined) return;
  const value = JSON.parse(json) as unknown;
  for (const path of pathsOf(value)) {
    for (const odd of ODD_JSON) yield pack(replaced(json, path, odd));
    yield pack(without(json, path));
  }
  for (const key of EXTRA_KEYS) yield pack(json.replace("{", `{${JSON.stringify(key)}:{"a":[1]},`));
  for (const broken of BROKEN_JSON) yield pack(broken);
  yield pack(json + json);
}

/** Cut at every byte, or at some places of a long message; and as the other kind of message. */
export function* wrongFrames(message: Message): Generator<Message> {
  const { data, isBinary } = message;
  const step = Math.max(1, Math.floor(data.length / 80));
  for (let length = 0; length < data.length; length += step) yield { data: data.subarray(0, length), isBinary };
  yield { data, isBinary: !isBinary };
  yield { data: Buffer.concat([data, data]), isBinary };
  yield { data: new Uint8Array(60_000), isBinary };
  for (const bad of [
    [0xff, 0xfe],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf8, 0x88, 0x80, 0x80, 0x80],
  ]) {
    yield { data: Buffer.concat([data.subarray(0, data.length >> 1), Buffer.from(bad)]), isBinary };
  }
}

/** One message, with chance's hand in it. `others` are messages that it may be mixed with. */
export function mutated(chance: Prng, message: Message, others: readonly Message[], packing: Packing): Message {
  const json = packing.unpack(message);
  if (json !== undefined && chance.next() < 0.4) {
    const path = chance.pick(pathsOf(JSON.parse(json)));
    return packing.pack(replaced(json, path, chance.pick(ODD_JSON)));
  }
  const data = Buffer.from(message.data);
  const at = chance.integer(0, data.length + 1);
  const { isBinary } = message;
  switch (chance.integer(0, 7)) {
    case 0:
      return { data: data.subarray(0, at), isBinary };
    case 1:
      return { data: data.subarray(at), isBinary };
    case 2:
      return { data, isBinary: !isBinary };
    case 3: {
      for (let count = chance.integer(1, 8); count > 0; count--) {
        if (data.length > 0) data[chance.integer(0, data.length)] = chance.integer(0, 256);
      }
      return { data, isBinary };
    }
    case 4: {
      const noise = Uint8Array.from({ length: chance.integer(0, 200) }, () => chance.integer(0, 256));
      return { data: Buffer.concat([data.subarray(0, at), noise, data.subarray(at)]), isBinary };
    }
    case 5:
      return { data: Buffer.concat([data, chance.pick(others).data]), isBinary };
    default: {
      const noise = Uint8Array.from({ length: chance.integer(0, 400) }, () => chance.integer(0, 256));
      return { data: noise, isBinary: chance.next() < 0.5 };
    }
  }
}

/** A conversation gone wrong: messages mutated, lost, doubled and out of order. */
export function mangled(chance: Prng, golden: readonly Message[], packing: Packing): Message[] {
  const messages = golden.flatMap((message): Message[] => {
    const dice = chance.next();
    if (dice < 0.1) return [];
    if (dice < 0.2) return [message, message];
    return dice < 0.45 ? [mutated(chance, message, golden, packing)] : [message];
  });
  if (chance.next() < 0.4) {
    for (let index = messages.length - 1; index > 0; index--) {
      const other = chance.integer(0, index + 1);
      [messages[index], messages[other]] = [messages[other]!, messages[index]!];
    }
  }
  return messages;
}

/** How many more rounds than the suite has time for: `SYRINX_FUZZ_RUNS=20 npm test -- fuzz`. */
export const FUZZ_RUNS = Math.max(1, Number(process.env.SYRINX_FUZZ_RUNS ?? 1) || 1);
