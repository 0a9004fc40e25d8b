"""Cluster reads, against a small API server on loopback."""
