"""From script and interviews to training data: scenes, weights, background, split, rows."""
