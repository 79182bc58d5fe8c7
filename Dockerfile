# The gateway as an image. Builds on Rust's own image, runs on plain Debian as an ordinary user.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin kmrl-gateway \
    && install -D target/release/kmrl-gateway /out/kmrl-gateway

FROM debian:bookworm-slim
# Root certificates for S3 and for databases over TLS, and what reads scans in both languages and
# Word documents of 1997 to 2003: the newest ones, so no version is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
        tesseract-ocr tesseract-ocr-mal tesseract-ocr-eng antiword catdoc \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --no-create-home kmrl \
    && install -d -o kmrl -g kmrl -m 0750 /data
COPY --from=build /out/kmrl-gateway /usr/local/bin/kmrl-gateway

USER 10001
WORKDIR /data
VOLUME /data
ENV KMRL_DATA_DIR=/data \
    KMRL_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/kmrl-gateway", "health"]
ENTRYPOINT ["kmrl-gateway"]
CMD ["serve"]
