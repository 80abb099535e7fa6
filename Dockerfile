# The image of Latchkey: Node 24, the production packages, the sources as they are (there is no build step).
# It runs as a user without rights on a read-only root file system; /data is the only place it writes to,
# /tmp should be a tmpfs.

# The same version of Node as package.json's optional dependency; test/packaging.test.ts compares them.
ARG NODE=24.21.0-bookworm-slim

# --- packages: nothing is compiled, argon2 and better-sqlite3 carry their binaries inside their packages ---------
FROM node:${NODE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages are Node itself for hosts with an older one: the base image already has it.
RUN npm ci --omit=dev --omit=optional \
 && npm cache clean --force

# --- app: the sources, and V8's code cache for them ---------------------------------------------------------------
FROM packages AS app
COPY LICENSE ./
COPY bin ./bin
COPY migrations ./migrations
COPY views ./views
COPY src ./src
# A development start on a throw-away folder: it proves that the image works, and fills the cache with all that a
# start, a health check and a migration load. As user 1000, who will run it: Node keeps a cache for each user id.
ENV NODE_COMPILE_CACHE=/app/.compile-cache \
    NODE_ENV=development \
    LATCHKEY_DATA_DIR=/tmp/warm
RUN install --directory --owner=1000 --group=1000 /app/.compile-cache /tmp/warm
USER 1000:1000
# hadolint ignore=DL3001
RUN node bin/latchkey.js migrate \
 && { node bin/latchkey.js serve > /dev/null & server=$!; } \
 && for wait in 1 1 1 2 2 3 5; do node bin/latchkey.js healthcheck && break; sleep "$wait"; done \
 && node bin/latchkey.js healthcheck \
 && kill "$server" && wait "$server"

# --- image --------------------------------------------------------------------------------------------------------
FROM node:${NODE} AS image
LABEL org.opencontainers.image.title="Latchkey" \
      org.opencontainers.image.description="A self-hosted OAuth 2.0 and OpenID Connect provider" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.compile-cache \
    LATCHKEY_HOST=0.0.0.0 \
    LATCHKEY_DATA_DIR=/data
WORKDIR /app
# Owned by root: the user that runs the service can't change a file of it, not even its code cache.
COPY --from=app --chown=root:root /app /app
RUN ln --symbolic /app/bin/latchkey.js /usr/local/bin/latchkey \
 && chmod 0755 /app/bin/latchkey.js \
 && install --directory --owner=1000 --group=1000 --mode=0700 /data
VOLUME /data
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --start-interval=1s --retries=3 \
  CMD ["latchkey", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["latchkey"]
CMD ["serve"]
