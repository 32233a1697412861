"""The smallest kernel: one loop in assembly over a byte stream that holds the constants of all layers."""
