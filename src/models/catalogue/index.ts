/** The catalogue of models: what there is, where it is kept, how it gets here. */
export { ModelCache, type ModelState, type PresentFile } from "./cache.js";
export { Catalogue, type ChosenModel, loadCatalogue, modelId, variantSize } from "./catalogue.js";
export { type PulledFile, type PulledModel, type PullOptions, pullModel, type WrongFile, wrongFiles } from "./pull.js";
export { type CatalogueEntry, type CatalogueVariant, PRECISIONS, type Precision } from "./schema.js";
export { type CatalogueSettings, catalogueSettings } from "./settings.js";
