"""One folder for each library that compiles or runs a model."""
