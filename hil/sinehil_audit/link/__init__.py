"""The link audit: verify over lines and boards that fail by a seed. May import all but commands."""
