"""TensorRT-RTX: parses and compiles ahead of time, without a GPU."""
