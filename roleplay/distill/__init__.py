"""Distillation: the novel -> a script in which every line is copied from the novel."""
