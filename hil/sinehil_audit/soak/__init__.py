"""The soak: boards at work for a long time, and what that does to the host. May import all but commands."""
