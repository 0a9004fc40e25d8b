"""The whole of netdiag as processes: the story as it should go, and the story with bad luck."""
