"""Is everything that the bot stands on as it should be, and if not, what is to be done? `netdiag doctor`."""
