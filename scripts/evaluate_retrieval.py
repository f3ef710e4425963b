"""How well the search finds: recall@k over questions of your own, or over those of a world.

python scripts/evaluate_retrieval.py --passages P.jsonl --questions Q.jsonl [--method fused]
python scripts/evaluate_retrieval.py --world worlds/chuiyan

method     recall@1  recall@3  recall@5  recall@10  queries/s
keyword       88.1%     95.0%     96.1%      97.8%          7
fused         88.6%     96.0%     97.1%      98.6%         17
{"n": 800, "recall@1": 0.88625, "recall@3": 0.96, ...}
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "retrieval")

if __name__ == "__main__":
    raise SystemExit(main())
