import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ConnectionOptions, connect } from "node:tls";
import { promisify } from "node:util";
import { type SelfSigned, selfSigned } from "../../src/transport/self-signed.js";
import type { ServerOptions } from "../../src/transport/server.js";
import { startServer } from "../../src/transport/server.js";
import { FakeRuntime } from "../support/fake-runtime.js";
import { LogLines } from "../support/log-lines.js";
import { TestSocket, withServer } from "../support/test-socket.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-tls-"));
let own: SelfSigned;
let other: SelfSigned;
/** Certificate and key of the server under test, as an operator keeps them. */
const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };

before(async () => {
  own = await selfSigned(join(folder, "own"));
  other = await selfSigned(join(folder, "other"));
});
after(() => rmSync(folder, { recursive: true }));

function install({ cert, key }: Pick<SelfSigned, "cert" | "key">): void {
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
}

interface Agreed {
  readonly protocol: string | false | null;
  readonly fingerprint: string | undefined;
}

/** What a handshake came to. Rejects if it failed. */
async function handshake(port: number, options: ConnectionOptions): Promise<Agreed> {
  const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ...options });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("secureConnect", resolve);
      socket.on("error", reject);
    });
    return { protocol: socket.alpnProtocol, fingerprint: socket.getPeerX509Certificate()?.fingerprint256 };
  } finally {
    socket.destroy();
  }
}

function statusOf(url: string, ca: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { ca, agent: false }, (response) => resolve(response.resume().statusCode ?? 0))
      .on("error", reject)
      .end();
  });
}

function withTls(
  tls: ServerOptions["tls"],
  act: Parameters<typeof withServer>[1],
  more: ServerOptions = {},
): Promise<void> {
  return withServer({ transport: { ...more, tls: tls! } }, act);
}

describe("TLS", () => {
  test("serves HTTP and calls to who trusts the certificate, and to nobody else", async () => {
    install(own);
    await withTls(files, async ({ server, runtime }) => {
      assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
      assert.equal(server.certificateFile, undefined);
      assert.equal(await statusOf(`${server.url}/readyz`, own.cert), 200);
      await assert.rejects(statusOf(`${server.url}/readyz`, other.cert), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
      const socket = new TestSocket(`${server.url}/v1/call?graph=echo`, [], { ca: own.cert });
      await socket.next("ready");
      socket.send({ type: "close" });
      await socket.closed;
      assert.equal(runtime.calls.length, 1);
    });
  });

  test("is 1.2 or newer, and HTTP/1.1", async () => {
    install(own);
    await withTls(files, async ({ server }) => {
      const ca = own.cert;
      const old = { minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
      await assert.rejects(handshake(server.port, { ca, ...old, maxVersion: "TLSv1.1" }));
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        const ALPNProtocols = ["h2", "http/1.1"];
        const agreed = await handshake(server.port, { ca, minVersion: version, maxVersion: version, ALPNProtocols });
        assert.equal(agreed.protocol, "http/1.1", version);
      }
      await assert.rejects(handshake(server.port, { ca, ALPNProtocols: ["h2"] }));
    });
  });

  test("survives who does not speak it", async () => {
    install(own);
    await withTls(files, async ({ server }) => {
      for (const text of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u0016\u0003\u0001\u00ff\u00ff", ""]) {
        await new Promise<void>((resolve) => {
          const socket = connectPlain(server.port, "127.0.0.1", () => socket.end(text));
          socket.on("error", () => {}).on("close", () => resolve());
          socket.resume();
        });
      }
      assert.equal(await statusOf(`${server.url}/livez`, own.cert), 200);
    });
  });

  test("stands beside a plain port on loopback where it has one of its own", async () => {
    install(own);
    await withTls({ ...files, port: 0 }, async ({ server }) => {
      assert.match(server.localUrl ?? "", /^http:\/\/127\.0\.0\.1:\d+$/);
      assert.equal((await fetch(`${server.localUrl}/readyz`)).status, 200);
      assert.equal(await statusOf(`${server.url}/readyz`, own.cert), 200);
      assert.notEqual(new URL(server.localUrl!).port, String(server.port));
    });
  });

  test("takes a new certificate over while it runs, and keeps the old one if the new one cannot be used", async () => {
    install(own);
    const log = new LogLines();
    const limits = { filePollMs: 5 };
    const peer = async (port: number): Promise<string | undefined> =>
      (await handshake(port, { rejectUnauthorized: false })).fingerprint;
    const readCount = (): number => log.lines.filter(({ message }) => message === "certificate read").length;
    await withTls(
      files,
      async ({ server }) => {
        await log.until(() => readCount() === 1);
        assert.equal(await peer(server.port), new X509Certificate(own.cert).fingerprint256);
        writeFileSync(files.cert, other.cert);
        await log.until(() => log.lines.some(({ level }) => level === "error"));
        assert.equal(await peer(server.port), new X509Certificate(own.cert).fingerprint256);
        writeFileSync(files.key, other.key);
        await log.until(() => readCount() === 2);
        assert.equal(await peer(server.port), new X509Certificate(other.cert).fingerprint256);
      },
      { logger: log, limits },
    );
    assert.doesNotMatch(JSON.stringify(log.lines), /PRIVATE KEY/);
  });

  test("that cannot be is an error at the start, with the reason", async () => {
    install({ cert: own.cert, key: other.key });
    await assert.rejects(startServer(new FakeRuntime(), { tls: files }), { code: "TLS_INVALID", message: /key/i });
    install({ cert: "no certificate", key: own.key });
    await assert.rejects(startServer(new FakeRuntime(), { tls: files }), { code: "TLS_INVALID" });
    const missing = { cert: join(folder, "none.pem"), key: files.key };
    await assert.rejects(startServer(new FakeRuntime(), { tls: missing }), {
      code: "TLS_INVALID",
      message: /none\.pem/,
    });
  });
});

describe("a certificate of the server's own making", () => {
  test("is trusted by Node as the documentation says", async () => {
    const cache = join(folder, "cache");
    const before = process.env.SYRINX_CACHE;
    process.env.SYRINX_CACHE = cache;
    try {
      await withTls({ selfSigned: true }, async ({ server }) => {
        assert.equal(server.certificateFile, join(cache, "tls", "self-signed.pem"));
        const script = `fetch("https://localhost:${server.port}/readyz").then(({ status }) => console.log(status))`;
        const env = { ...process.env, NODE_EXTRA_CA_CERTS: server.certificateFile };
        const { stdout } = await promisify(execFile)(process.execPath, ["-e", script], { env });
        assert.equal(stdout, "200\n");
      });
    } finally {
      if (before === undefined) delete process.env.SYRINX_CACHE;
      else process.env.SYRINX_CACHE = before;
    }
  });

  test("is for this machine, is no authority, and its key is its owner's alone", () => {
    const certificate = new X509Certificate(own.cert);
    for (const name of ["localhost", hostname().toLowerCase()]) assert.ok(certificate.checkHost(name), name);
    for (const address of ["127.0.0.1", "::1"]) assert.ok(certificate.checkIP(address), address);
    assert.equal(certificate.checkHost("example.com"), undefined);
    assert.equal(certificate.ca, false);
    assert.equal(certificate.publicKey.asymmetricKeyType, "ec");
    if (process.platform !== "win32") {
      assert.equal(statSync(join(folder, "own", "self-signed.key")).mode & 0o077, 0);
    }
  });

  test("is used again, and made anew where what is kept will not do", async () => {
    assert.equal((await selfSigned(join(folder, "own"))).cert, own.cert);
    const broken = join(folder, "broken");
    mkdirSync(broken);
    copyFileSync(join(folder, "own", "self-signed.pem"), join(broken, "self-signed.pem"));
    copyFileSync(join(folder, "other", "self-signed.key"), join(broken, "self-signed.key"));
    const made = await selfSigned(broken);
    assert.notEqual(made.cert, own.cert);
    assert.equal(readFileSync(made.certificateFile, "utf8"), made.cert);
    assert.equal((await selfSigned(broken)).cert, made.cert);
  });
});
