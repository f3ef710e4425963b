"""Who speaks, by rules alone: free, offline, less complete than a model, and honest about it."""
