"""Slack's surfaces, one a file: acknowledge at once, say what came in our words, hand it to the desk."""
