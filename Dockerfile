# The CPU image:      docker build -t syrinx .
# With CUDA 13:       docker build -t syrinx:cuda --target cuda .
# What to run:        docs/OPERATIONS.md, "Docker"

# Pin these by digest for builds that must be repeatable.
ARG NODE_IMAGE=node:22-bookworm-slim
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG CUDA_IMAGE=nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04

# --- build: compiles, and leaves only what runs -------------------------------------------------------------------
FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Dependencies first: this layer stays while only the code changes.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build \
 && npm prune --omit=dev --no-audit --no-fund \
 # The npm package of ONNX Runtime carries all platforms; keep this one.
 && cd node_modules/onnxruntime-node/bin/napi-v6 \
 && keep="$(node -p 'process.platform')/$(node -p 'process.arch')" \
 && for folder in */*; do [ "$folder" = "$keep" ] || rm -rf "$folder"; done \
 && cd /app \
 && rm -rf dist/test dist/bench dist/examples dist/.tsbuildinfo src test bench examples training scripts

# --- cuda-libraries: the CUDA provider of exactly the version of onnxruntime-node, out of the Python wheel -----------
FROM ${PYTHON_IMAGE} AS cuda-libraries
WORKDIR /libraries
COPY --from=build /app/node_modules/onnxruntime-node/package.json ./
RUN version="$(python -c 'import json; print(json.load(open("package.json"))["version"])')" \
 && pip download --no-cache-dir --no-deps --only-binary=:all: -d wheel "onnxruntime-gpu==$version" \
 && python -m zipfile -e wheel/*.whl . \
 && rm -rf wheel

# --- cuda: the same program on a base that has CUDA and cuDNN; run it with `--gpus all` ----------------------------
FROM ${CUDA_IMAGE} AS cuda
COPY --from=build /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=build /app ./
COPY --from=cuda-libraries \
  /libraries/onnxruntime/capi/libonnxruntime_providers_cuda.so \
  /libraries/onnxruntime/capi/libonnxruntime_providers_shared.so \
  ./node_modules/onnxruntime-node/bin/napi-v6/linux/x64/
ENV NODE_ENV=production ORT_DISABLE_TELEMETRY=1
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["node", "deploy/healthcheck.mjs"]
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["serve", "deploy/container.yaml"]

# --- cpu: the default target, because it is the last ---------------------------------------------------------------
FROM ${NODE_IMAGE} AS cpu
LABEL org.opencontainers.image.title="syrinx" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /app ./
ENV NODE_ENV=production ORT_DISABLE_TELEMETRY=1
# A number, so that Kubernetes can see that it is not root.
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "deploy/healthcheck.mjs"]
# Node handles SIGTERM itself. Run with `--init` if your own modules start programs that must be reaped.
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["serve", "deploy/container.yaml"]
