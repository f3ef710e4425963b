"""Model files: the bundled default, and how any causal LM is found and loaded."""
