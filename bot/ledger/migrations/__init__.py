"""The ledger's schema, one step a file; they run by themselves when the bot starts."""
