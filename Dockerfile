# Three stages: `build` makes the environment, `keystroke` is the image of api and beat, `project` adds a project's code
# for its workers. A project of your own needs no more than: FROM keystroke, COPY --chown=keystroke . /project.

FROM python:3.12-slim-bookworm AS build
RUN pip install --no-cache-dir uv
WORKDIR /build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/keystroke UV_PYTHON_DOWNLOADS=never
# First the dependencies alone: this layer stays until the lock changes.
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project
COPY platform platform
COPY worker worker
COPY beat beat
COPY api api
COPY examples examples
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.12-slim-bookworm AS keystroke
RUN useradd --uid 10001 --create-home keystroke && install -d -o keystroke /project
COPY --from=build /opt/keystroke /opt/keystroke
ENV PATH=/opt/keystroke/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /project
USER keystroke
EXPOSE 3002
# Every part drains at SIGTERM by itself; give it 45 s (compose.yaml does).
STOPSIGNAL SIGTERM
ENTRYPOINT ["keystroke"]
CMD ["--help"]

FROM keystroke AS project
ARG PROJECT=examples/quickstart
COPY --chown=keystroke ${PROJECT} /project
# What the project needs beside Keystroke, where it says so.
USER root
RUN if [ -f requirements.txt ]; then pip --python /opt/keystroke/bin/python install --no-cache-dir -r requirements.txt; fi
USER keystroke
