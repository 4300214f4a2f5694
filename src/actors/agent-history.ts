/**
 * What an agent remembers of a conversation: what was asked, and of its answers what was heard. Bounded: the oldest is
 * forgotten first.
 */
import type { LlmMessage } from "./llm/llm.js";

interface UserEntry {
  readonly role: "user";
  readonly content: string;
}

interface AnswerEntry {
  readonly role: "assistant";
  content: string;
  readonly contextId: number;
  readonly generation: number;
}

export type HistoryEntry = UserEntry | AnswerEntry;

export class AgentHistory {
  readonly #charsMax: number;
  readonly #entries: HistoryEntry[];
  #charCount: number;

  /** @param charsMax characters of JSON that are kept; the last entry is kept whatever its length. */
  constructor(charsMax: number, entries: readonly HistoryEntry[] = []) {
    this.#charsMax = charsMax;
    this.#entries = [...entries];
    this.#charCount = this.#entries.reduce((sum, entry) => sum + lengthOf(entry), 0);
  }

  asked(content: string): void {
    this.#push({ role: "user", content });
  }

  /** An answer begins; nothing of it was said yet. */
  answering(contextId: number, generation: number): void {
    this.#push({ role: "assistant", content: "", contextId, generation });
  }

  /** The answer as it is meant now: more text, or what was really heard. */
  answered(contextId: number, content: string): void {
    const entry = this.#entries.findLast((found) => found.role === "assistant" && found.contextId === contextId);
    if (entry?.role !== "assistant") return;
    this.#charCount += content.length - entry.content.length;
    entry.content = content;
    this.#shrink();
  }

  /** An interruption: of answer `contextId` only `spokenText` was heard, and nothing of stale answers after it. */
  heard(contextId: number, spokenText: string, isStale: (generation: number) => boolean): void {
    if (contextId < 0) return;
    this.answered(contextId, spokenText);
    for (const entry of this.#entries) {
      if (entry.role === "user" || entry.contextId <= contextId || !isStale(entry.generation)) continue;
      this.answered(entry.contextId, "");
    }
  }

  forgetOldest(): boolean {
    const oldest = this.#entries.shift();
    if (oldest !== undefined) this.#charCount -= lengthOf(oldest);
    return oldest !== undefined;
  }

  /** As models want it: the system's words first, then alternating roles, nothing empty. */
  messages(systemPrompt: string | undefined): LlmMessage[] {
    const messages: LlmMessage[] = [];
    if (systemPrompt !== undefined) messages.push({ role: "system", content: systemPrompt });
    for (const { role, content } of this.#entries) {
      if (content === "") continue;
      const last = messages.at(-1);
      if (last?.role === role) messages[messages.length - 1] = { role, content: `${last.content} ${content}` };
      else messages.push({ role, content });
    }
    return messages;
  }

  entries(): readonly HistoryEntry[] {
    return this.#entries;
  }

  #push(entry: HistoryEntry): void {
    this.#entries.push(entry);
    this.#charCount += lengthOf(entry);
    this.#shrink();
  }

  #shrink(): void {
    while (this.#charCount > this.#charsMax && this.#entries.length > 1) this.forgetOldest();
  }
}

/** Of JSON, near enough: text and what stands around it. */
function lengthOf(entry: HistoryEntry): number {
  return entry.content.length + 80;
}
