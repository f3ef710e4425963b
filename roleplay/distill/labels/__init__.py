"""Labels of numbered spans: what they are, how they become lines, who is right where they differ."""
