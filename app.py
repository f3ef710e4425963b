"""The app: talk to the characters of a world in the browser.

    python app.py [--world worlds/chuiyan] [--model gemma3-270m] [--checkpoint FOLDER] [--port 7860]
    MODEL=<folder or hub id of a ChatGLM-6B> CHECKPOINT=<folder of a prefix> python app.py

Every flag may be given as an environment variable of the same name in capitals. The page is up in
seconds; the model loads behind it. Runs as it is on a Hugging Face Space.
"""

import argparse
import contextlib
import os
from collections.abc import Sequence

with contextlib.suppress(ImportError):
    import spaces  # noqa: F401  before torch: a Space's ZeroGPU stands in for CUDA

from roleplay import cli, messages
from roleplay.options import add_options, read_options
from roleplay.ui.server import Settings, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C; 0, or 2 after an error that the user can mend."""
    given = cli.begin(argv)
    for ours, hosts in (("HOST", "GRADIO_SERVER_NAME"), ("PORT", "GRADIO_SERVER_PORT")):
        if value := os.environ.get(hosts):  # what a Space sets
            os.environ.setdefault(ours, value)
    parser = argparse.ArgumentParser(description=messages.text("cli.app"))
    add_options(parser, Settings)
    cli.add_common(parser)
    args = parser.parse_args(given)
    return cli.run(lambda: serve(read_options(Settings, args)), debug=args.debug)


if __name__ == "__main__":
    raise SystemExit(main())
