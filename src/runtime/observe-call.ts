/** What a call's events mean to the metrics. Main thread, a few times per turn. */
import type { Plan, PlanGraph } from "../config/plan.js";
import type { CallEvent } from "../frames/events.js";
import type { Metrics, TurnResult } from "../telemetry/index.js";

const RESULT_OF_REPLY: Readonly<Record<string, TurnResult>> = {
  completed: "completed",
  empty: "empty",
  failed: "error",
  interrupted: "interrupted",
};

/** The first model of that task in a graph, by its name in the configuration; `none` without one. */
export function modelOf(plan: Plan, graph: PlanGraph, task: string): string {
  const models = graph.nodes.map((index) =>
    plan.models.find((candidate) => candidate.name === plan.nodes[index]!.model),
  );
  return models.find((model) => model?.task === task)?.name ?? "none";
}

/** One observer per call. Must not throw. */
export function observeCall(metrics: Metrics, plan: Plan, graph: PlanGraph): (event: CallEvent) => void {
  const ears = modelOf(plan, graph, "stt");
  const voice = modelOf(plan, graph, "tts");
  let finals: { readonly words: number }[] = [];
  return (event) => {
    switch (event.type) {
      case "turn":
        if (event.what === "end") metrics.endpointDecided(event.trigger);
        return;
      case "transcript":
        if (event.final) finals.push({ words: event.words.length });
        return;
      case "receipt": {
        const { sttFinalMs, firstPcmMs, firstTextMs, finalSentMs } = event.milestones;
        for (const [index, { words }] of finals.entries()) {
          metrics.sttFinal(
            ears,
            words,
            index === finals.length - 1 && sttFinalMs !== undefined ? sttFinalMs / 1000 : undefined,
          );
        }
        finals = [];
        if (!graph.hasAgent) {
          if (finalSentMs === undefined) metrics.turnFinished(graph.name, "empty");
          else metrics.turnFinished(graph.name, "completed", event, "speech_end_to_final_transcript");
          return;
        }
        if (firstPcmMs === undefined) return;
        metrics.turnFinished(graph.name, "completed", event);
        if (firstTextMs !== undefined) metrics.ttsFirstAudio(voice, (firstPcmMs - firstTextMs) / 1000);
        return;
      }
      case "reply":
        // A turn that was answered is counted with its receipt.
        if (event.what === "end" && event.reason !== undefined && event.reason !== "completed") {
          metrics.turnFinished(graph.name, RESULT_OF_REPLY[event.reason]!);
        }
        return;
      case "audio":
        metrics.audioOut(voice, event.pcm.length / event.rateHz);
        return;
      case "gap":
        metrics.audioLost(graph.name, event.durationMs / 1000);
        return;
      case "interrupted":
        metrics.bargeIn(graph.name, "accepted");
        return;
      default:
        return;
    }
  };
}
