"""What stands in for Slack and for a cluster in tests and in `netdiag demo`: a simulated workspace, recorded evidence.

Nothing of the product imports this package.
"""
