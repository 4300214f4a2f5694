/** A client's own trace, from the headers of its upgrade or request to every call that it opens: for all faces alike. */
import type { Runtime } from "../runtime/api.js";
import type { FaceRequest } from "./faces/face.js";

type Opener = Pick<Runtime, "open">;

/** The runtime, which opens calls with the client's `traceparent`, if there is one. */
export function linkedTo(runtime: Opener, headers: FaceRequest["headers"]): Opener {
  const { traceparent } = headers;
  if (traceparent === undefined) return runtime;
  return { open: (graph, options) => runtime.open(graph, { ...options, trace: { traceparent } }) };
}
