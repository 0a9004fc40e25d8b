"""What checks share: the model of the datapath, what kube-proxy's rules should be and are, and what explains what."""
