"""What the lower bounds of :mod:`offload.bounds` are made of."""
