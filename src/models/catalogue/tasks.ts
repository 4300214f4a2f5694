/** What models of the catalogue are for. */
export const CATALOGUE_TASKS = ["vad", "turn", "stt", "tts", "denoise"] as const;
