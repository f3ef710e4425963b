"""Texts of this project's own, for protection: JSON Lines, one item a row, read by :mod:`roleplay.dataset.protection`.

``NAME.jsonl`` is for training, ``NAME_test.jsonl`` is held out for evaluation; no item stands in both.
"""
