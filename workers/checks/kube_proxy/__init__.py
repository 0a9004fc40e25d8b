"""Questions about kube-proxy."""
