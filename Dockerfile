# The page on a CPU. A new volume begins with what the image holds, the example world and adapters:
#   docker build -t roleplay .
#   docker run -p 7860:7860 -v worlds:/app/worlds -v checkpoints:/app/checkpoints \
#       -v cache:/cache roleplay python app.py --auth me:secret
# A page that others can reach lets only whoever signs in make and change things.
FROM python:3.12-slim

# A C compiler: ChatGLM's kernels are built on first use.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 reader

WORKDIR /app
COPY requirements.txt ./
# torch without CUDA: --build-arg TORCH_INDEX=the address of an index of CPU builds
ARG TORCH_INDEX=""
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-cache-dir --index-url "$TORCH_INDEX" "torch>=2.9,<2.14"; \
    fi \
    && pip install --no-cache-dir -r requirements.txt
COPY --chown=reader . .
RUN pip install --no-cache-dir --no-deps -e . && install -d -o reader /cache /app && chown reader /app

USER reader
ENV HOST=0.0.0.0 PORT=7860 ROLEPLAY_CACHE=/cache PYTHONUTF8=1
VOLUME ["/app/worlds", "/app/checkpoints", "/cache"]
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/', timeout=4)"]
CMD ["python", "app.py"]
