"""The tests. A folder of them is a package only where it shares code."""
