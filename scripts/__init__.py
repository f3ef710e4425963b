"""One stage, one script: `python scripts/<stage>.py --help`. Each has a `main(argv=None) -> int`."""
