"""The OpenAI-style API: the characters of the worlds as models, beside the page or without it."""
