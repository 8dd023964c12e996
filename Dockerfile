# The image is one static binary, public certificate authorities and an empty folder: no shell, no libc, no package to keep
# up to date. scripts/image (`make image`) puts the files together, so that no registry is asked for anything.
FROM scratch

# For Postgres, Redis and OpenTelemetry over TLS: Mozilla's authorities. SSL_CERT_FILE names others.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY boxoffice /boxoffice

# The one folder that a volume may be mounted over, the user's own: an engine gives a new volume the owner that it has here.
COPY --chown=65532:65532 empty/ /var/lib/boxoffice/

# The number, not a name: Kubernetes (runAsNonRoot) cannot know that a name is not root's.
USER 65532:65532

# Everywhere in the container, since nothing reaches its loopback; what is published decides who may come. Remoting stays on
# loopback until BOXOFFICE_CLUSTER_ADDR says otherwise, which wants certificates.
ENV BOXOFFICE_HTTP_ADDR=:8080 BOXOFFICE_ADMIN_ADDR=:8081 BOXOFFICE_DATA_DIR=/var/lib/boxoffice
# Buyers, organisers and operators, remoting.
EXPOSE 8080 8081 8082

# Exec form: the server is process 1 and hears SIGTERM itself. It drains for up to 10 s; let the engine wait for 15.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/boxoffice"]
CMD ["serve"]

# No HEALTHCHECK, which the OCI format does not have: `boxoffice health` is the command, compose.yaml shows it.
