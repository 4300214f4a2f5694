import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { reasonOf, SyrinxError } from "../base/errors.js";
import type { PlanTls } from "../config/plan.js";
import { selfSigned } from "./self-signed.js";

export interface TlsMaterial {
  /** For `createServer` and `setSecureContext`. */
  readonly context: SecureContextOptions;
  /** Of a certificate of the server's own making: the file that clients must trust. */
  readonly certificateFile?: string;
}

/** Blocks nothing. Throws TLS_INVALID. */
export async function readTlsMaterial(tls: PlanTls): Promise<TlsMaterial> {
  try {
    if ("selfSigned" in tls) {
      const { cert, key, certificateFile } = await selfSigned();
      return { context: contextOf(cert, key), certificateFile };
    }
    const [cert, key] = await Promise.all([readFile(tls.cert, "utf8"), readFile(tls.key, "utf8")]);
    return { context: contextOf(cert, key) };
  } catch (error) {
    throw new SyrinxError("TLS_INVALID", { reason: reasonOf(error) }, error);
  }
}

/** Throws if the two do not belong together. */
function contextOf(cert: string, key: string): SecureContextOptions {
  const context = { cert, key, minVersion: "TLSv1.2" } as const;
  createSecureContext(context);
  return context;
}
