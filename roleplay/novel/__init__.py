"""The novel itself: its text, chapters, chunks and quotes. Knows nothing of speakers."""
