"""Tests of the bot: the real ledger, a clock that is set by hand, doubles for Slack and Redis alone."""
