"""What changes a cluster: the live writer, its recorded twin, and the rights of both roles."""
