"""Training an adapter on passages: loss on the answers only, resumable, with curves."""
