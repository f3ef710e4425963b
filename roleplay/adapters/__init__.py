"""Adapters: prefixes (P-Tuning v2) and LoRA, and the checkpoint folder that holds one."""
