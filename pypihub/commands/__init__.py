"""What the `pypihub` command does beside serving: each command's work, and the token of whoever runs it."""
