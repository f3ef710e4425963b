"""Characters from a novel: script, distillation, dataset, P-tuning, dialogue.

The layers, from below to above, are written in ``tests/test_layers.py``; a module imports from
below or beside.
"""
