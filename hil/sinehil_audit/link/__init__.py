"""Bad lines and bad boards on purpose, by a seed, and a judge who knows the truth: ``sinehil audit link``."""
