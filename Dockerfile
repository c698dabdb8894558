# The image of Countersign. Both bases are arguments without a default: name them by digest, so that the same commit
# gives the same image.
#
#   docker buildx build . \
#     --build-arg BUILD_BASE=node:26-bookworm-slim@sha256:… \
#     --build-arg RUNTIME_BASE=gcr.io/distroless/cc-debian12:nonroot@sha256:… \
#     --build-arg SOURCE_DATE_EPOCH="$(git log -1 --pretty=%ct)" \
#     --output type=image,name=registry.example.com/countersign:0.1.0,rewrite-timestamp=true
#
# The runtime base needs glibc and libstdc++ and nothing else: no shell, no package manager. Node itself comes from
# package-lock.json, as every other dependency does.
ARG BUILD_BASE
ARG RUNTIME_BASE

FROM ${BUILD_BASE} AS build
ARG SOURCE_DATE_EPOCH
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY attestors attestors
COPY src src
RUN npm run build

FROM ${BUILD_BASE} AS production
ARG SOURCE_DATE_EPOCH
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${RUNTIME_BASE}
COPY --from=build /build/node_modules/node/bin/node /usr/local/bin/node
COPY --from=production /build/node_modules /app/node_modules
COPY --from=build /build/dist /app/dist
COPY package.json /app/package.json
COPY policies/starter /app/policies/starter
USER 65532:65532
WORKDIR /app
ENTRYPOINT ["node", "/app/dist/src/cli.js"]
CMD ["serve", "--config", "/etc/countersign/countersign.yaml"]
