# The web app, the worker and the relay are one image; compose.yml says which runs.
FROM python:3.12-slim

RUN useradd --system --uid 10001 --home-dir /app app
WORKDIR /app
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY transports transports
RUN pip install --no-cache-dir --disable-pip-version-check --constraint requirements.lock '.[web]'
COPY producer producer
COPY worker worker

USER app
ENV PYTHONUNBUFFERED=1
CMD ["python", "-m", "producer"]
