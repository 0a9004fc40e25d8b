"""One file, one question. Each looks by its one door, and says what it found, what it proved, what it could not see."""
