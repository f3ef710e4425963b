"""Train an adapter (a P-Tuning v2 prefix, or LoRA) on a world's prepared data.

    python scripts/train_roleplaying.py --world worlds/chuiyan [--adapter prefix|lora]
    python scripts/train_roleplaying.py --world worlds/chuiyan --model chatglm-6b-int4-qe
    accelerate launch --num_processes 2 scripts/train_roleplaying.py --world worlds/chuiyan

Stop it with Ctrl-C and start it again with the same arguments: it goes on from its last saved step.
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "training")

if __name__ == "__main__":
    raise SystemExit(main())
