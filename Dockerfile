# PyPIHub in a container; compose.yaml shows how it is run. docker build -t pypihub .

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md requirements.lock ./
COPY pypihub pypihub
COPY twisted twisted
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/pypihub \
    && pip --python /opt/pypihub/bin/python install --no-cache-dir --no-compile --require-hashes -r requirements.lock \
    && pip --python /opt/pypihub/bin/python install --no-cache-dir --no-compile --no-deps /wheels/*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/pypihub/lib

FROM python:3.13-slim
COPY --from=build /opt/pypihub /opt/pypihub
COPY --chmod=644 etc/pypihub.toml /etc/pypihub/pypihub.toml
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/cache/pypihub
ENV PATH=/opt/pypihub/bin:$PATH CACHE_DIRECTORY=/var/cache/pypihub PYTHONDONTWRITEBYTECODE=1
VOLUME /var/cache/pypihub
USER 10001:10001
EXPOSE 3141
# Of the port and the scheme of the default configuration; with others, give the container a healthcheck of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:3141/healthz', timeout=4)"]
CMD ["pypihub", "-c", "/etc/pypihub/pypihub.toml"]
