"""One file, one kind of change. Each looks, and returns steps as data or a refusal; none touches a cluster."""
