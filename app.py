"""The app: talk to the characters of a world in the browser.

    python app.py [--world worlds/chuiyan] [--model gemma3-270m] [--checkpoint checkpoints/...] [--port 7860]
    MODEL=<folder or hub id of a ChatGLM-6B> CHECKPOINT=<folder of a prefix, ours or the original's> python app.py

Every flag may be given as an environment variable of the same name in capitals. The page is up in seconds; the model
loads behind it. Runs as it is on a Hugging Face Space.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from roleplay import cli, messages
from roleplay.options import add_options, read_options
from roleplay.ui.server import Settings, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C; 0, or 2 after an error that the user can mend."""
    messages.speak(messages.system_language())
    for name in ("HOST", "PORT"):  # what a Space and other hosts of Gradio set
        if value := os.environ.get(
            {"HOST": "GRADIO_SERVER_NAME", "PORT": "GRADIO_SERVER_PORT"}[name]
        ):
            os.environ.setdefault(name, value)
    parser = argparse.ArgumentParser(description=messages.text("cli.app"))
    add_options(parser, Settings)
    cli.add_common(parser)
    args = parser.parse_args(
        [cli.normal(part) for part in (sys.argv[1:] if argv is None else argv)]
    )
    return cli.run(lambda: serve(read_options(Settings, args)), debug=args.debug)


if __name__ == "__main__":
    raise SystemExit(main())
