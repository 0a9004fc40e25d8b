"""Speed as ratios: what netdiag takes, beside what it stands on or replaces, in the same run on the same machine."""
