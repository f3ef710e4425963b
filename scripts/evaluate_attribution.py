"""Score who-speaks on labelled windows; the last line of the output is one JSON object.

python scripts/evaluate_attribution.py tests/data/attribution_own.jsonl --baseline nearest
python scripts/evaluate_attribution.py DATA.jsonl --abstain
python scripts/evaluate_attribution.py DATA.jsonl --backend openai --model gpt-4o-mini
python scripts/evaluate_attribution.py --make-from worlds/chuiyan OUT.jsonl [--split]
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "attribution")

if __name__ == "__main__":
    raise SystemExit(main())
