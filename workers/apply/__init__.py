"""How is a step of a plan carried out? The only code that changes a cluster."""
