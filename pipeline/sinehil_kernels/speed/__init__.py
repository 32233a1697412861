"""The fastest kernel: assembly made for one model's weights, every layer unrolled."""
