"""The cluster side: looking, reasoning, changing. It holds no Slack token and no database."""
