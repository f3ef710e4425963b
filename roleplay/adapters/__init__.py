"""Adapters: P-Tuning v2 prefixes and LoRA through PEFT, and the checkpoint folder that holds one."""
