"""Sample models, their data, and the scripts that made them."""
