#!/usr/bin/env bash
# From a distilled world to a trained adapter: index, data, training. Flags go to train_roleplaying.py.
#   WORLD=worlds/mine scripts/train_roleplaying.sh --adapter prefix --epochs 4
#   MODEL=models/chatglm-6b-int4-qe scripts/train_roleplaying.sh --pre_seq_len 128
set -euo pipefail
cd "$(dirname "$0")/.."
world=${WORLD:-worlds/chuiyan}
python=${PYTHON:-.venv/bin/python}
if [ -d "$world/wiki" ]; then
  "$python" scripts/build_knowledge_base.py --world "$world"
fi
"$python" scripts/prepare_seq2seq_training.py --world "$world"
exec "$python" scripts/train_roleplaying.py --world "$world" "$@"
