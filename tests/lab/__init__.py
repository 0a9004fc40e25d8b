"""A real cluster that can be broken on purpose, and a scoreboard of what netdiag says about it."""
