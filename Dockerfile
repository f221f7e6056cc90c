# amends with all that it needs to run offline. Another torch: --build-arg TORCH_INDEX=... (docs/guides/installing.md).
FROM python:3.11-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /opt/amends
# What changes seldom comes first, so that a change of the sources installs nothing anew.
COPY constraints.txt ./
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)" \
    && pip install --no-cache-dir --no-deps $(sed -n 's/^# no-deps: //p' constraints.txt)
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --constraint constraints.txt . \
    && useradd --create-home --uid 1000 amends \
    && install --directory --owner amends /work/runs

USER amends
WORKDIR /work
ENTRYPOINT ["amends"]
CMD ["--help"]
