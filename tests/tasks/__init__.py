"""The tasks: a real broker, real worker processes."""
