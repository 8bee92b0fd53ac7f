# syntax=docker/dockerfile:1
# Two images of one application: `docker build --target cpu .` and `docker build --target gpu .` (the default).
# Not built where it was written, for want of a Docker daemon. hadolint passes; the steps of `cpu` were gone through by hand
# with Python 3.12 and uid 10001 (packages, start on 0.0.0.0, health check, a build by command line); those of `gpu` were not.
# Read the licence of TensorRT-RTX's wheels (NVIDIA's, proprietary) before publishing an image that contains them.

# Any tag whose Python is 3.11 to 3.13 will do, so 24.12 or later: NVIDIA's compatibility matrix for the sister image tritonserver
# has Python 3.10.12 in 24.11 and 3.12.3 from 24.12 to 25.12. 25.10-py3 is a published tag: public Dockerfiles build on it.
ARG TENSORRT_IMAGE=nvcr.io/nvidia/tensorrt:25.10-py3
ARG PYTHON_IMAGE=python:3.12-slim-bookworm


# What both images take over: sources only, without tests and without what .dockerignore names.
FROM scratch AS application
WORKDIR /app
COPY app.py LICENSE README.md ./
COPY .streamlit .streamlit
COPY pages pages
COPY samples samples
COPY trt_core trt_core


FROM ${PYTHON_IMAGE} AS cpu-packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /tmp/requirements.txt


FROM ${PYTHON_IMAGE} AS cpu
RUN useradd --create-home --uid 10001 --user-group enginescope \
    && install --directory --owner=enginescope --group=enginescope /workspace
COPY --from=cpu-packages /opt/venv /opt/venv
COPY --from=application /app /app
WORKDIR /app
# 0.0.0.0 because a container is reached from outside itself. It has no login of its own:
# publish the port on 127.0.0.1 and put a proxy with a login before it (docs/deployment.md).
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENGINESCOPE_WORKSPACE=/workspace \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501
USER 10001:10001
VOLUME /workspace
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["python", "-m", "streamlit", "run", "app.py"]


# The venv sees the image's own TensorRT; everything else in it is ours, at our versions. Its pip is the image's: Ubuntu's Python
# comes without ensurepip, and an image of NVIDIA's may hold pip to versions of its own.
FROM ${TENSORRT_IMAGE} AS gpu-packages
COPY requirements.txt /tmp/requirements.txt
ENV PIP_CONSTRAINT=
RUN python3 -m venv --without-pip --system-site-packages /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --ignore-installed -r /tmp/requirements.txt \
    && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check nvidia-ml-py==13.615.71


FROM ${TENSORRT_IMAGE} AS gpu
RUN useradd --create-home --uid 10001 --user-group enginescope \
    && install --directory --owner=enginescope --group=enginescope /workspace
COPY --from=gpu-packages /opt/venv /opt/venv
COPY --from=application /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENGINESCOPE_WORKSPACE=/workspace \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501
USER 10001:10001
VOLUME /workspace
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["python", "-m", "streamlit", "run", "app.py"]
