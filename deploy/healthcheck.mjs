/** Exit code 0 if the server on this machine is ready. For `HEALTHCHECK` of the image. */
const url = `http://127.0.0.1:${process.env.SYRINX_PORT ?? 8080}/readyz`;
try {
  const { status } = await fetch(url, { signal: AbortSignal.timeout(2_500) });
  process.exitCode = status === 200 ? 0 : 1;
} catch {
  process.exitCode = 1;
}
