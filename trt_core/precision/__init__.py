"""ONNX in, ONNX out: casts, Q/DQ pairs, calibration and the numerics twin."""
