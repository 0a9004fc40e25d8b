"""What can be seen, by area: each file holds queries and the evidence that answers them.

Evidence says what is there, never what it means.
"""
