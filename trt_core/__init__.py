"""What TensorRT does with a model, and where the precision goes: the core, without a user interface."""
