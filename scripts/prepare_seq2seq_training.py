"""Prepare training data from a world's script, interviews and knowledge base.

python scripts/prepare_seq2seq_training.py --world worlds/chuiyan [--mode one|many|profile]
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "dataset")

if __name__ == "__main__":
    raise SystemExit(main())
