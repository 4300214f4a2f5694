/**
 * ONNX Runtime's builds report to their vendor (machine, model names, figures) unless this variable is set when its
 * environment is created. Whoever wants that sets it to 0. Native code reads the process's environment, which only the
 * main thread can change: so this must be imported there, before the first session of any thread.
 */
process.env.ORT_DISABLE_TELEMETRY ??= "1";
