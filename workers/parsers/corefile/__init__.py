"""What does a Corefile say? As coredns/caddy reads it: words, then blocks, with imports and variables put in."""
