"""Questions about Services."""
