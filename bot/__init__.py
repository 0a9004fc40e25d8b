"""The chat side: Slack, the ledger, approvals. It holds no cluster credential."""
