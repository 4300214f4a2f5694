/**
 * One conversation as the agent leads it. Questions are answered one at a time; fences and the close wait in line behind
 * the answers that were begun before them.
 *
 * Answers are made outside of `process`, as the language model's pieces come. Each piece is emitted under the generation
 * of the turn that it answers, so that an interruption makes all of it stale at once; the model is left as soon as that
 * is noticed.
 */
import { isSyrinxError, reasonOf, SyrinxError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import type { MetaOf } from "../frames/kinds.js";
import { AgentHistory, type HistoryEntry } from "./agent-history.js";
import type { ActorCall, Item, Out } from "./define.js";
import type { Llm } from "./llm/llm.js";

/** Turn index of what the agent says unasked. */
export const GREETING_TURN = -1;
/** Questions, fences and the close that wait for an answer. At it: fences are passed on at once, written questions refused. */
export const WAITING_MAX = 256;

export interface AgentSettings {
  readonly llm: Llm;
  readonly nodeName: string;
  readonly systemPrompt: string | undefined;
  readonly fallbackText: string | undefined;
}

interface Question {
  readonly what: "question";
  readonly turnIndex: number;
  readonly text: string;
  readonly generation: number;
  /** It came in writing. */
  readonly askId?: string;
  /** False: it is only remembered. */
  readonly wantsAnswer: boolean;
}

type Waiting = Question | { readonly what: "fence"; readonly meta: MetaOf<"fence"> } | { readonly what: "close" };

/** What an answer answers. */
type Occasion = Pick<Question, "turnIndex" | "generation" | "askId">;

/** Whose trail and generation a frame inherits. */
interface Origin {
  readonly generation: number;
  readonly cause?: Item<AgentCall> | undefined;
}

/** An answer being made. */
interface Answer extends Occasion {
  readonly contextId: number;
  readonly controller: AbortController;
  readonly cause: Item<AgentCall> | undefined;
  text: string;
}

/** What survives the worker: plain data. */
export interface AgentMemory {
  readonly history: readonly HistoryEntry[];
  readonly heard: readonly string[];
  readonly waiting: readonly Waiting[];
  readonly contextCount: number;
  readonly askCount: number;
  readonly answering?: Occasion & { readonly contextId: number };
}

export class AgentCall {
  /** Something changed that a successor must know. */
  isDirty = true;
  readonly #call: ActorCall<AgentCall>;
  readonly #out: Out<AgentCall>;
  readonly #settings: AgentSettings;
  readonly #history: AgentHistory;
  /** Final transcripts since the last turn. */
  #heard: string[];
  readonly #waiting: Waiting[];
  /** The turn frames of waiting questions; they are lost with the worker, and with them only their trail. */
  readonly #causes = new Map<Waiting, Item<AgentCall>>();
  #contextCount: number;
  #askCount: number;
  #answer: Answer | undefined;
  #isClosed = false;

  constructor(call: ActorCall<AgentCall>, out: Out<AgentCall>, settings: AgentSettings, memory?: AgentMemory) {
    this.#call = call;
    this.#out = out;
    this.#settings = settings;
    this.#history = new AgentHistory(LIMITS.historyChars, memory?.history);
    this.#heard = [...(memory?.heard ?? [])];
    this.#waiting = [...(memory?.waiting ?? [])];
    this.#contextCount = memory?.contextCount ?? 0;
    this.#askCount = memory?.askCount ?? 0;
  }

  /** Says something unasked. */
  greet(text: string): void {
    this.#call.markReplying(GREETING_TURN);
    const answer = this.#begin({ turnIndex: GREETING_TURN, generation: this.#call.generation() }, undefined);
    this.#history.answering(answer.contextId, answer.generation);
    this.#say(answer, text);
    this.#end(answer, "completed");
  }

  /** A predecessor died in the middle of an answer: what was said of it is taken back, and it is given anew. */
  resume({ answering }: AgentMemory): void {
    if (answering !== undefined && !this.#call.isStale(answering.generation)) {
      this.#history.answered(answering.contextId, "");
      this.#call.interrupt("restart");
      this.#call.markReplying(answering.turnIndex);
      void this.#make(this.#begin({ ...answering, generation: this.#call.generation() }, undefined));
    }
    this.#goOn();
  }

  transcribed(text: string): void {
    if (text === "") return;
    this.#heard.push(text);
    this.isDirty = true;
  }

  turnEnded(item: Item<AgentCall>): void {
    const { turnIndex } = item.meta("turn");
    const question: Question = {
      what: "question",
      turnIndex,
      text: this.#heard.join(" "),
      generation: item.generation,
      wantsAnswer: true,
    };
    this.#heard = [];
    this.#causes.set(question, item);
    this.#wait(question);
  }

  /** A question in writing. */
  asked(item: Item<AgentCall>): void {
    const { id: askId, index, text, wantsAnswer, turnIndex } = item.meta("ask");
    // Priority frames have no sequence: after a worker's death one may come again.
    if (index < this.#askCount) return;
    this.#askCount = index + 1;
    this.isDirty = true;
    const { generation } = item;
    if (this.#waiting.length < WAITING_MAX) {
      this.#wait({ what: "question", turnIndex, text, generation, askId, wantsAnswer });
      return;
    }
    const error = new SyrinxError("CALL_ASK_REFUSED", { reason: `${WAITING_MAX} questions wait already` });
    this.#tell(error, { generation });
  }

  /** A fence or the close: everything before it was answered when it leaves. */
  pass(item: Item<AgentCall>): void {
    if (item.kind === "close") this.#wait({ what: "close" });
    else if (this.#waiting.length < WAITING_MAX) this.#wait({ what: "fence", meta: item.meta("fence") });
    else this.#out.forward(item);
  }

  /** What was heard of an answer that was cut off. */
  interrupted({ contextId, spokenText }: MetaOf<"interrupt">): void {
    this.isDirty = true;
    this.#leaveStale();
    this.#history.heard(contextId, spokenText, (generation) => this.#call.isStale(generation));
    this.#goOn();
  }

  closed(): void {
    this.#isClosed = true;
    this.#answer?.controller.abort();
    this.#answer = undefined;
  }

  /** Makes the memory smaller. `false`: there is nothing left to forget. */
  forgetOldest(): boolean {
    return this.#history.forgetOldest();
  }

  memory(): AgentMemory {
    const memory = {
      history: this.#history.entries(),
      heard: this.#heard,
      waiting: this.#waiting,
      contextCount: this.#contextCount,
      askCount: this.#askCount,
    };
    if (this.#answer === undefined) return memory;
    const { turnIndex, contextId, generation, askId } = this.#answer;
    return { ...memory, answering: { turnIndex, contextId, generation, ...withAsk(askId) } };
  }

  #wait(entry: Waiting): void {
    this.#waiting.push(entry);
    this.isDirty = true;
    this.#goOn();
  }

  /** Takes what waits, until an answer is being made. */
  #goOn(): void {
    this.#leaveStale();
    while (this.#answer === undefined && !this.#isClosed) {
      const entry = this.#waiting.shift();
      if (entry === undefined) return;
      this.isDirty = true;
      if (entry.what === "question") this.#take(entry);
      else if (entry.what === "fence") this.#out.emit(this.#call, "fence", entry.meta);
      else this.#out.emit(this.#call, "close", {});
    }
  }

  #take(question: Question): void {
    const { text, generation } = question;
    const cause = this.#causes.get(question);
    this.#causes.delete(question);
    if (text !== "") this.#history.asked(text);
    // Whoever asked has gone on talking: that is part of what is answered next.
    if (!question.wantsAnswer || this.#call.isStale(generation)) return;
    const answer = this.#begin(question, cause);
    if (text === "") this.#end(answer, "empty");
    else void this.#make(answer);
  }

  #begin({ turnIndex, generation, askId }: Occasion, cause: Item<AgentCall> | undefined): Answer {
    const contextId = this.#contextCount++;
    const controller = new AbortController();
    const answer: Answer = { contextId, turnIndex, generation, ...withAsk(askId), controller, cause, text: "" };
    this.#answer = answer;
    this.isDirty = true;
    const meta = { what: "start" as const, contextId, turnIndex, ...withAsk(askId) };
    this.#out.emit(this.#call, "reply", meta, this.#under(answer));
    return answer;
  }

  async #make(answer: Answer): Promise<void> {
    const { llm, systemPrompt, fallbackText } = this.#settings;
    const messages = this.#history.messages(systemPrompt);
    this.#history.answering(answer.contextId, answer.generation);
    try {
      for await (const piece of llm.stream({ messages, signal: answer.controller.signal })) {
        if (!this.#isWanted(answer)) break;
        this.#say(answer, piece);
      }
      if (this.#isWanted(answer)) this.#end(answer, answer.text.trim() === "" ? "empty" : "completed");
    } catch (error) {
      if (this.#isWanted(answer)) {
        this.#tell(error, answer);
        if (fallbackText !== undefined) this.#say(answer, answer.text === "" ? fallbackText : ` ${fallbackText}`);
        this.#end(answer, "failed");
      }
    }
    if (this.#answer === answer) this.#leaveStale();
    this.#goOn();
  }

  #isWanted(answer: Answer): boolean {
    return this.#answer === answer && !this.#call.isStale(answer.generation);
  }

  #say(answer: Answer, text: string): void {
    answer.text += text;
    this.#history.answered(answer.contextId, answer.text);
    this.#out.emit(this.#call, "text", { contextId: answer.contextId, text }, this.#under(answer));
  }

  #end(answer: Answer, reason: "completed" | "empty" | "failed"): void {
    const { contextId, turnIndex, askId } = answer;
    this.#answer = undefined;
    this.isDirty = true;
    const meta = { what: "end" as const, contextId, turnIndex, reason, ...withAsk(askId) };
    this.#out.emit(this.#call, "reply", meta, this.#under(answer));
  }

  /** Gives up the answer that an interruption made stale. How much of it was heard, `interrupted` will say. */
  #leaveStale(): void {
    const answer = this.#answer;
    if (answer === undefined || !this.#call.isStale(answer.generation)) return;
    this.#answer = undefined;
    this.isDirty = true;
    answer.controller.abort();
    this.#history.answered(answer.contextId, "");
  }

  #tell(thrown: unknown, origin: Origin): void {
    const error = isSyrinxError(thrown) ? thrown : new SyrinxError("INTERNAL", { reason: reasonOf(thrown) }, thrown);
    const { code, message, hint } = error;
    const meta = { code, message, hint, node: this.#settings.nodeName, fatal: false };
    this.#out.emit(this.#call, "error", meta, this.#under(origin));
  }

  #under({ cause, generation }: Origin): { cause?: Item<AgentCall>; generation: number } {
    return cause === undefined ? { generation } : { cause, generation };
  }
}

function withAsk(askId: string | undefined): { askId?: string } {
  return askId === undefined ? {} : { askId };
}
