"""What does a Corefile say? Words, then blocks with imports and variables put in, as coredns/caddy's caddyfile reads it."""
