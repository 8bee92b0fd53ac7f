"""TensorRT 8.6, 10 and 11 on a GPU: builds, calibrates, runs and measures."""
