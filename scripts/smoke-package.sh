#!/usr/bin/env bash
# Packs the package, installs the tarball into an empty folder and uses it there: command line, library, types' doors.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$root"
tarball=$(npm pack --silent --pack-destination "$folder" | tail -n 1)
cd "$folder"
cp "$root/.npmrc" .
echo '{ "name": "smoke", "private": true, "type": "module", "allowScripts": { "onnxruntime-node": false } }' > package.json
npm install --silent --no-audit --no-fund "./$tarball"
npx syrinx --version
npx syrinx check node_modules/syrinx/configs/assistant.yaml
npx syrinx say "The package works." -o said.wav --json
npx syrinx transcribe node_modules/syrinx/samples/question.wav --json
cat > use.mjs <<'JS'
import { createRuntime } from "syrinx";
import { connect } from "syrinx/client";
if (typeof connect !== "function") throw new Error("syrinx/client has no connect");
const runtime = await createRuntime("node_modules/syrinx/configs/echo.yaml");
const call = await runtime.open("echo");
call.write(new Int16Array(320).fill(7));
let heard = 0;
for await (const event of call) if (event.type === "audio" && (heard += event.pcm.length) >= 320) break;
await call.close();
await runtime.drain();
console.log(`library: echoed ${heard} samples`);
JS
node use.mjs
echo "package smoke test: 5 passed, 0 failed"
