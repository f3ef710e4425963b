"""One stage, one script: `python scripts/STAGE.py --help`; each has `main(argv=None) -> int`."""
