"""The process on each node: it answers a fixed catalogue of probes, to callers that prove who they are."""
