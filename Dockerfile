# syntax=docker/dockerfile:1
# The relay, its dependencies and nothing else: no compiler, no pip, no shell needed at run time.
#   docker build -t ses-relay .
#   docker run --read-only -v ./relay.toml:/etc/ses-relay/relay.toml:ro -p 2525:2525 ses-relay
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/ses-relay
# Dependencies first: they change less often than the code.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY relay/__init__.py relay/__init__.py
COPY config/demo config/demo
# There is no pip in the image: what settings may ask for is there, but for oauth (tokens of delegates), whose cryptography is 16 MB.
ARG EXTRAS=htpasswd,redis,yaml
RUN /opt/ses-relay/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"
COPY relay relay
RUN /opt/ses-relay/bin/pip install --no-cache-dir --no-deps --force-reinstall . \
    && /opt/ses-relay/bin/pip uninstall --yes --quiet pip setuptools
# Of 400 services of AWS the relay asks a dozen; the descriptions of the others are a quarter of what is installed.
COPY config/prune.py config/prune.py
RUN /opt/ses-relay/bin/python config/prune.py \
    && /opt/ses-relay/bin/python -m compileall -q /opt/ses-relay/lib
# What is in it, CycloneDX: docker run --entrypoint cat ses-relay /opt/ses-relay/sbom.json
COPY config/sbom.py config/sbom.py
RUN /opt/ses-relay/bin/python config/sbom.py >/opt/ses-relay/sbom.json

FROM ${BASE}
LABEL org.opencontainers.image.title="ses-relay" \
      org.opencontainers.image.description="An SMTP relay that enforces Amazon SES sending authorization" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/ses-relay /opt/ses-relay
ENV PATH=/opt/ses-relay/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The spool, the journal and the snapshot of policies: a volume that is made from here belongs to the relay.
RUN install -d -m 700 -o 10001 -g 10001 /var/lib/ses-relay
VOLUME /var/lib/ses-relay
USER 10001:10001
EXPOSE 2525 8025
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["ses-relay", "healthcheck"]
ENTRYPOINT ["ses-relay"]
CMD ["serve", "-c", "/etc/ses-relay/relay.toml"]
