"""State -> Block Kit, as pure functions: what a message shows is a function of what is in the ledger.

Nothing from a cluster or a person is trusted as text. It goes into elements that Slack does not parse (rich text, table
cells), and is escaped where a place knows mrkdwn alone.
"""
