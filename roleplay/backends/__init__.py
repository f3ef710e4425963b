"""Backends: what turns a prompt into candidate replies."""
