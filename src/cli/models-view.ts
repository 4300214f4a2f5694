/** Models of the catalogue, as people and programs see them. */

import {
  type Catalogue,
  type CatalogueEntry,
  type CatalogueSettings,
  type ChosenModel,
  catalogueSettings,
  loadCatalogue,
  ModelCache,
  type ModelState,
  modelId,
  variantSize,
} from "../models/catalogue/index.js";
import { hasFamily } from "../models/registry.js";

/** The catalogue and the cache that the environment names. */
export function openCatalogue(): { catalogue: Catalogue; cache: ModelCache; settings: CatalogueSettings } {
  const settings = catalogueSettings(process.env);
  return { settings, catalogue: loadCatalogue(settings.catalogueFile), cache: new ModelCache(settings.cacheFolder) };
}

/** One precision of a model, as `--json` prints it. */
export interface VariantReport {
  readonly id: string;
  readonly precision: string;
  readonly devices: readonly string[];
  readonly state: ModelState;
  readonly bytes: number | undefined;
  readonly sizeIsExact: boolean;
  readonly folder: string;
  readonly files: readonly {
    readonly path: string;
    readonly sha256: string | undefined;
    readonly bytes: number | undefined;
  }[];
}

export interface ModelReport {
  readonly name: string;
  readonly title: string;
  readonly task: string;
  readonly family: string;
  readonly familyInBuild: boolean;
  readonly languages: readonly string[];
  readonly licence: string;
  readonly licenceNote: string | undefined;
  readonly source: CatalogueEntry["source"];
  readonly evidence: CatalogueEntry["evidence"];
  readonly variants: readonly VariantReport[];
}

export function reportOf(entry: CatalogueEntry, cache: ModelCache): ModelReport {
  const { name, title, task, family, languages, licence, licenceNote, source, evidence } = entry;
  const familyInBuild = hasFamily(family);
  const about = { name, title, task, family, familyInBuild, languages, licence, licenceNote, source, evidence };
  return { ...about, variants: entry.variants.map((variant) => variantReport({ entry, variant }, cache)) };
}

function variantReport(model: ChosenModel, cache: ModelCache): VariantReport {
  const { precision, devices, files } = model.variant;
  const present = cache.files(model);
  const size = present === undefined ? variantSize(model.variant) : exactSize(present);
  return {
    id: modelId(model),
    precision,
    devices,
    state: cache.state(model),
    bytes: size?.bytes,
    sizeIsExact: size?.isExact ?? false,
    folder: cache.modelFolder(model),
    files: files.map(({ path, sha256, bytes }) => {
      const found = present?.find((each) => each.path === path);
      return { path, sha256: sha256 ?? found?.sha256, bytes: bytes ?? found?.bytes };
    }),
  };
}

function exactSize(files: readonly { readonly bytes: number }[]): ReturnType<typeof variantSize> {
  return { bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), isExact: true };
}

/** Columns: name, task, size of the first precision, precisions, licence, where it is. */
export function listText(reports: readonly ModelReport[]): string {
  const rows = reports.map((report) => [
    report.name,
    report.task,
    sizeText(report.variants[0]!),
    report.variants.map(({ precision, state }) => (state === "absent" ? precision : `${precision}*`)).join(" "),
    report.licence,
    placeText(report),
  ]);
  const heads = ["MODEL", "TASK", "SIZE", "PRECISIONS", "LICENCE", "HERE"];
  return `${table([heads, ...rows])}\n* in the cache. Sizes are of the first precision; ~ is about.\n`;
}

function placeText({ variants, familyInBuild }: ModelReport): string {
  const state = variants.find(({ state: each }) => each !== "absent")?.state ?? "";
  return [state, familyInBuild ? "" : "not in this build"].filter((part) => part !== "").join(", ");
}

export function infoText(report: ModelReport, licenceNote: string | undefined): string {
  const { source, evidence } = report;
  const rows = [
    ["task", report.task],
    ["family", report.familyInBuild ? report.family : `${report.family} (not in this build)`],
    ["languages", report.languages.map(languageText).join(", ")],
    ["licence", licenceNote === undefined ? report.licence : `${report.licence}: ${licenceNote}`],
    ["source", sourceText(source)],
    ["known", EVIDENCE[evidence]],
  ];
  const blocks = report.variants.map((variant) => {
    const state = variant.state === "absent" ? "not in the cache" : `${variant.state}, in ${variant.folder}`;
    const files = variant.files.map(({ path, sha256, bytes }) => [
      `    ${path}`,
      bytes === undefined ? "?" : String(bytes),
      sha256 ?? "digest: unknown, recorded on first pull",
    ]);
    return `\n${variant.id}  for ${variant.devices.join(", ")}; ${sizeText(variant)}; ${state}\n${table(files)}\n`;
  });
  return `${report.name}: ${report.title}\n${table(rows.map(([key, value]) => [`  ${key}`, value!]))}\n${blocks.join("")}`;
}

const EVIDENCE: Readonly<Record<CatalogueEntry["evidence"], string>> = {
  exact: "digest and size of every file",
  listed: "names of files, as public code lists them; digests are recorded on the first pull",
  recalled: "names of files, not checked against the source; digests are recorded on the first pull",
};

function sourceText(source: CatalogueEntry["source"]): string {
  if (source.kind === "package") return "comes with the package";
  const at = source.kind === "hub" ? "huggingface.co" : "github.com";
  return `${at}/${source.repository} at ${source.revision}${source.kind === "hub" && source.gated ? ", gated" : ""}`;
}

function languageText(language: string): string {
  if (language === "mul") return "many";
  return language === "zxx" ? "any" : language;
}

export function sizeText({ bytes, sizeIsExact }: Pick<VariantReport, "bytes" | "sizeIsExact">): string {
  if (bytes === undefined) return "?";
  if (bytes === 0) return "-";
  return `${sizeIsExact ? "" : "~"}${megabytes(bytes)}`;
}

export function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
