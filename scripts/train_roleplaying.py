"""Train an adapter (a P-Tuning v2 prefix, or LoRA) on a world's passages, or for ChatGLM on its
prompt/response rows.

    python scripts/train_roleplaying.py --world worlds/chuiyan [--adapter prefix|lora] [--pre-seq-len 64]
    python scripts/train_roleplaying.py --world worlds/chuiyan --model chatglm-6b-int4-qe --pre-seq-len 128

    accelerate launch --multi_gpu --num_processes 2 scripts/train_roleplaying.py --world worlds/chuiyan

Stop it with Ctrl-C and start it again with the same arguments: it goes on from its last saved step.
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "training")

if __name__ == "__main__":
    raise SystemExit(main())
