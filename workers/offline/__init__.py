"""Commands that need no installation: no cluster, no broker, no Slack."""
