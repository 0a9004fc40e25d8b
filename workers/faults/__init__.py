"""One file a fault: what the on-call sees, its proof, its look-alikes, what to do."""
