"""A real API server under netdiag's own roles."""
