# cinetag for NVIDIA devices: docs/cuda.md. Never built by us: there was no daemon to build it with.
#   docker build -f docs/cuda.Dockerfile -t cinetag:cuda .
#   docker run --rm --gpus all -v "$PWD:/films" cinetag:cuda doctor --device cuda
# The build needs no device; CUDA_COMPUTE_CAP is the oldest one that shall run it.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        clang libclang-dev libavcodec-dev libavformat-dev libavutil-dev libswscale-dev \
        libswresample-dev libhdf5-dev pkg-config python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /cinetag
COPY . .
ARG CUDA_COMPUTE_CAP=80
RUN scripts/build_cuda build --release --bins \
    && mkdir /out /out/lib \
    && cp target/cuda/release/cinetag /out/ \
    && strip /out/cinetag \
    && cp -L target/cuda-toolkit-*/nvidia/cu13/lib/libcublas.so.13 \
        target/cuda-toolkit-*/nvidia/cu13/lib/libcublasLt.so.13 \
        target/cuda-toolkit-*/nvidia/cu13/lib/libcudart.so.13 \
        target/cuda-toolkit-*/nvidia/cu13/lib/libcurand.so.10 /out/lib/

# FFmpeg and HDF5 as Debian has them; the driver's libcuda.so.1 comes from the host.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates libavcodec59 libavformat59 libavutil57 libhdf5-103-1 libstdc++6 \
        libswresample4 libswscale6 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/lib /opt/cuda/lib
COPY --from=build /out/cinetag /usr/local/bin/cinetag
ENV LD_LIBRARY_PATH=/opt/cuda/lib NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
WORKDIR /films
ENTRYPOINT ["cinetag"]
