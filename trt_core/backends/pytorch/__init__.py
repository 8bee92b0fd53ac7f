"""PyTorch, where it is installed: the eager baseline."""
