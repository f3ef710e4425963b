"""Labels of numbered spans: what they are, how they become lines, whose counts if they differ."""
