/**
 * What an entry of the catalogue says. The entries are data, `models/catalogue.json`: where a model's files are, what they
 * must hash to, under which licence they are, and how a `models:` entry of the configuration is made of them.
 */
import { z } from "zod";
import { CATALOGUE_TASKS } from "./tasks.js";

/** Names make folders of the cache: no dots at the front, no separators. */
const NAME = /^[a-z0-9][a-z0-9.-]*$/;
/** Inside a repository: relative, no `..`, no empty part, nothing that a disk or a URL reads in its own way. */
const REMOTE_PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/;
const SHA256 = /^[0-9a-f]{64}$/;

export const PRECISIONS = ["fp32", "fp16", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

const file = z.strictObject({
  path: z.string().regex(REMOTE_PATH).max(200).describe("inside the repository"),
  sha256: z
    .string()
    .regex(SHA256)
    .optional()
    .describe("absent: unknown, recorded on the first pull and required from then on"),
  bytes: z.int().min(1).optional().describe("exact size, where it is known"),
});
export type CatalogueFile = z.infer<typeof file>;

const source = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("package") }).describe("comes with Syrinx"),
  z.strictObject({
    kind: z.literal("hub"),
    repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
    revision: z.string().regex(REMOTE_PATH).describe("commit, tag or branch; a branch is pinned by the first pull"),
    gated: z.boolean().default(false).describe("its terms must be accepted first, and a token be sent"),
  }),
  z.strictObject({
    kind: z.literal("github"),
    repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
    revision: z.string().regex(REMOTE_PATH).describe("commit, tag, branch or HEAD; the digests pin the content"),
  }),
]);
export type CatalogueSource = z.infer<typeof source>;

const optionValue = z.union([z.string(), z.number(), z.boolean()]);

const variant = z.strictObject({
  precision: z.enum(PRECISIONS),
  devices: z
    .array(z.enum(["cpu", "cuda", "webgpu", "coreml", "dml"]))
    .min(1)
    .describe("where it is the right choice"),
  sizeMb: z.number().positive().optional().describe("about, of all files, where exact sizes are not known"),
  files: z.array(file).max(64),
  paths: z
    .record(z.string(), z.string().regex(/^(\.|[A-Za-z0-9_./-]+)$/))
    .default({})
    .describe("options of the family that name a file or folder: `.` is the model's own folder"),
  options: z.record(z.string(), optionValue).default({}).describe("other options of the family"),
});
export type CatalogueVariant = z.infer<typeof variant>;

export const catalogueEntrySchema = z.strictObject({
  name: z.string().regex(NAME).max(64),
  title: z.string().min(1).max(120),
  task: z.enum(CATALOGUE_TASKS),
  family: z.string().regex(/^[a-z][a-z0-9-]*$/),
  languages: z.array(z.string()).min(1).describe("BCP 47 codes; `mul` for many, `zxx` where language does not matter"),
  licence: z.string().min(1).describe("SPDX, where there is one"),
  licenceNote: z.string().optional().describe("what the licence asks that a deployer may not expect"),
  source,
  evidence: z
    .enum(["exact", "listed", "recalled"])
    .describe("exact: digests are known; listed: file names were read in public code; recalled: they were not checked"),
  trialText: z.string().optional().describe("what a recogniser of few words is tried with, instead of the samples"),
  variants: z.array(variant).min(1),
});
export type CatalogueEntry = z.infer<typeof catalogueEntrySchema>;

export const catalogueSchema = z.strictObject({ version: z.literal(1), models: z.array(catalogueEntrySchema) });
