/** Answers turns: text of the caller in, text of a language model out. */
import { z } from "zod";
import { LIMITS } from "../base/limits.js";
import { AgentCall, type AgentMemory, type AgentSettings } from "./agent-call.js";
import { type ActorCall, defineActor, type Item, type Out } from "./define.js";
import { createLlm, llmOptions } from "./llm/registry.js";
import { jsonRowBytes, readJson, writeJson } from "./row.js";

const systemPrompt = z.string().max(LIMITS.historyChars).optional();

const options = z.strictObject({
  /** Which language model answers. */
  llm: llmOptions,
  systemPrompt,
  greeting: z.string().min(1).max(2_000).optional().describe("Said when a call opens, before anybody asked."),
  fallbackText: z
    .string()
    .min(1)
    .max(2_000)
    .optional()
    .describe("Said when the language model fails; absent: nothing."),
});
type AgentOptions = z.infer<typeof options>;

const callOptions = z.strictObject({ systemPrompt });

/** Besides the history: what waits for an answer, and the turn under way. */
const ROW_CHARS = LIMITS.historyChars + 40_000;

export const agentActor = defineActor<AgentOptions, AgentCall>({
  name: "agent",
  summary: "Answers turns with the text of a language model, and remembers what was said and heard.",
  inputs: ["transcript.final", "turn", "ask", "interrupt"],
  requires: ["transcript.final", "turn"],
  outputs: ["reply", "text"],
  forwards: [],
  options,
  callOptions,
  thread: "io",
  latencyMs: () => 0,
  stateBytes: () => jsonRowBytes(ROW_CHARS),
  create(chosen, { nodeName, log }) {
    const llm = createLlm(chosen.llm);
    const settingsOf = (call: ActorCall<AgentCall>): AgentSettings => ({
      llm,
      nodeName,
      fallbackText: chosen.fallbackText,
      systemPrompt: callOptions.parse(call.options).systemPrompt ?? chosen.systemPrompt,
    });
    // By call, not by `call.state`: a restored conversation may close its call before it was handed over.
    const open = new Map<ActorCall<AgentCall>, AgentCall>();
    const begin = (call: ActorCall<AgentCall>, out: Out<AgentCall>, memory?: AgentMemory): AgentCall => {
      const state = new AgentCall(call, out, settingsOf(call), memory);
      open.set(call, state);
      return state;
    };
    return {
      open(call, out) {
        const state = begin(call, out);
        if (chosen.greeting !== undefined) state.greet(chosen.greeting);
        return state;
      },
      process(batch) {
        for (const item of batch) handle(item);
      },
      close(call) {
        open.get(call)?.closed();
        open.delete(call);
      },
      save(call, row) {
        const { state } = call;
        if (!state.isDirty) return;
        state.isDirty = false;
        while (!writeJson(row, state.memory())) {
          if (state.forgetOldest()) continue;
          log("warn", "a conversation is too long to be saved", { callId: call.callId, node: nodeName });
          return;
        }
      },
      restore(call, row, out) {
        const memory = readJson<AgentMemory>(row);
        const state = begin(call, out, memory);
        if (memory !== undefined) state.resume(memory);
        return state;
      },
      dispose() {
        for (const state of open.values()) state.closed();
      },
    };
  },
});

function handle(item: Item<AgentCall>): void {
  const { state } = item.call;
  if (item.kind === "transcript.final") state.transcribed(item.meta("transcript.final").text);
  else if (item.kind === "turn") {
    if (item.meta("turn").what === "end") state.turnEnded(item);
  } else if (item.kind === "ask") state.asked(item);
  else if (item.kind === "interrupt") state.interrupted(item.meta("interrupt"));
  else state.pass(item);
}
