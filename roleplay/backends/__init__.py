"""Backends: what turns a prompt into candidate replies. Each declares its name, context and tokenizer."""
