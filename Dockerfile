# segcli for the CPU, run by a user of its own. Nobody has built this image yet.
#
#     docker build -t segcli .
#     docker run --rm --user "$(id -u)" -v "$PWD:/work" segcli predict photos --model street
#
# Any user id will do: weights go to /cache, which every user may write to; name a volume to keep them.
FROM python:3.11-slim

RUN pip install --no-cache-dir torch torchvision --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE weights_manifest.toml /src/
COPY segcli /src/segcli
RUN pip install --no-cache-dir /src && rm -r /src

RUN useradd --create-home segcli && mkdir -m 1777 /cache && mkdir /work && chown segcli /work
ENV SEGCLI_CACHE_DIR=/cache/segcli HF_HOME=/cache/huggingface
USER segcli
WORKDIR /work
ENTRYPOINT ["segcli"]
