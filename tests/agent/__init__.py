"""Tests of the agent and its client, against each other and against the kernel."""
