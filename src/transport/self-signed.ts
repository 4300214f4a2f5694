/** A certificate for development, kept in the cache so that whoever trusts it need do so once. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../base/cache-folder.js";

export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
  /** Absolute. Clients that are told to trust this file trust the server. */
  readonly certificateFile: string;
}

/** A certificate that is about to end is made anew. */
const REST_MS_MIN = 30 * 24 * 3_600_000;

/** Makes one if there is none that will do. Throws what the file system throws. */
export async function selfSigned(folder = join(cacheFolder(), "tls")): Promise<SelfSigned> {
  const certificateFile = join(folder, "self-signed.pem");
  const keyFile = join(folder, "self-signed.key");
  const kept = await readPair(certificateFile, keyFile);
  if (kept !== undefined && isUsable(kept)) return { ...kept, certificateFile };
  const made = await make();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(keyFile, made.key, { mode: 0o600 });
  await writeFile(certificateFile, made.cert);
  return { ...made, certificateFile };
}

type Pair = Pick<SelfSigned, "cert" | "key">;

async function readPair(certificateFile: string, keyFile: string): Promise<Pair | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(certificateFile, "utf8"), readFile(keyFile, "utf8")]);
    return { cert, key };
  } catch {
    return undefined;
  }
}

function isUsable({ cert, key }: Pair): boolean {
  try {
    const certificate = new X509Certificate(cert);
    const restMs = Date.parse(certificate.validTo) - wallMs();
    const isForHere = names().every((name) => certificate.checkHost(name) !== undefined);
    return restMs >= REST_MS_MIN && isForHere && certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function names(): string[] {
  return [...new Set(["localhost", hostname().toLowerCase()])].filter((name) => /^[a-z0-9.-]{1,253}$/.test(name));
}

/** Loaded when it is wanted: a server that has a certificate of its own needs none of it. */
async function make(): Promise<Pair> {
  const { generate } = await import("selfsigned");
  const addresses = ["127.0.0.1", "::1"].map((ip) => ({ type: 7 as const, ip }));
  const { cert, private: key } = await generate([{ name: "commonName", value: "Syrinx on this machine" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    extensions: [
      // No authority: whoever trusts it trusts this server, and nothing that its key could sign.
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: [...names().map((value) => ({ type: 2 as const, value })), ...addresses] },
    ],
  });
  return { cert, key };
}
