"""Model files: the embedded default, and how any causal LM is found and loaded."""
