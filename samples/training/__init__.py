"""Training of the two digit classifiers with NumPy alone."""
