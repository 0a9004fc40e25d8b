"""The words of netdiag: frozen values that bot, workers and agents share. No I/O, no clock, no chance in here."""
