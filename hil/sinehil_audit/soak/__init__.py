"""The soak: boards streamed to, reset, flashed and verified in a loop, and what that does to the host over time."""
