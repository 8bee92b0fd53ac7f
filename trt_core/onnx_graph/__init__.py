"""Reading, checking and rewriting ONNX files."""
