"""ONNX Runtime: reference numerics, and latency on the CPU."""
