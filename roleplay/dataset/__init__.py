"""From script and interviews to training data: scenes, weights, background, split, prompt/response rows."""
