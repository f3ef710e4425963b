"""What this machine can do, and what is missing: `python3 launch.py doctor`."""

from functools import partial

from roleplay import cli

main = partial(cli.main, "doctor")

if __name__ == "__main__":
    raise SystemExit(main())
