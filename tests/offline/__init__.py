"""These tests share `tests.world`."""
