"""The documents in other languages: one English source each, a gettext catalogue, and what is generated of both."""
