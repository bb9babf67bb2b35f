# Wormhole in a container. The first stage compiles it, and its compilers are not part of the image; the second has the
# server, wormhole-cli, the libraries that they need, and a user. tests/container builds and runs it.
#
#   docker build -t wormhole .
#   docker run -p 127.0.0.1:8080:8080 -e WORMHOLE_REQUIREPASS="$(openssl rand -hex 32)" \
#     -v wormhole:/var/lib/wormhole --name wormhole wormhole
#   docker exec wormhole sh -c 'WORMHOLE_PASSWORD=$WORMHOLE_REQUIREPASS wormhole-cli status'
#
# Every directive can be given as an environment variable: WORMHOLE_ and its name in capitals. compose.yaml starts three
# nodes.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
ARG MESON_OPTIONS="-Dbuildtype=release -Db_lto=true -Dunity=on -Dunity_size=6"
COPY utils/install-deps /source/utils/
RUN apt-get update && apt-get install -y --no-install-recommends make && /source/utils/install-deps build
COPY . /source
# Builds only these two: the tests run elsewhere.
RUN cd /source && meson setup build ${MESON_OPTIONS} \
  && ninja -C build src/server/wormhole-server src/cli/wormhole-cli \
  && install -D -s -t /out/usr/local/bin build/src/server/wormhole-server build/src/cli/wormhole-cli \
  && install -D -m 644 conf/wormhole.conf /out/usr/local/share/doc/wormhole/wormhole.conf

FROM ${BASE}
RUN apt-get update \
  && apt-get install -y --no-install-recommends libuv1t64 libmbedtls21 libllhttp9.2 libsqlite3-0 \
    libsimdjson25 libjemalloc2 libcurl4t64 \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
  && groupadd --system --gid 1112 wormhole \
  && useradd --system --uid 1112 --gid wormhole --home-dir /var/lib/wormhole --shell /usr/sbin/nologin wormhole \
  && install -d -o wormhole -g wormhole -m 700 /var/lib/wormhole
COPY --from=build /out/ /
LABEL org.opencontainers.image.title="wormhole" org.opencontainers.image.version="0.2.0" \
  org.opencontainers.image.description="A replicated event queue and key-value store"
# Numeric ids show that the user is not root without a look into the image.
USER 1112:1112
WORKDIR /var/lib/wormhole
VOLUME /var/lib/wormhole
# Listens on all interfaces of the container: published ports decide which clients reach it, and protected-mode refuses
# clients from outside unless there is a password. The debug port is off.
ENV WORMHOLE_DIR=/var/lib/wormhole WORMHOLE_BIND="* -::*" WORMHOLE_DEBUG_PORT=0
EXPOSE 8080 1112
STOPSIGNAL SIGTERM
# Checks that the server is alive, not that it is ready: a node that waits for its cluster must not be restarted for
# that.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["wormhole-server", "--check-health"]
ENTRYPOINT ["wormhole-server"]
