"""A novel to a script: reads the world's novel, writes chunks.jsonl, script.jsonl and
report/distill.json.

    python scripts/distill_dialogues.py --world worlds/mine --novel ~/books/xiyouji.txt      # makes the world
    python scripts/distill_dialogues.py --world worlds/mine

    read     utf-8, 735848 characters, 101 chapters -> 761 chunks
    script   17483 lines: 11039 spoken, 75 % with a speaker, 2795 unknown -> worlds/mine/script.jsonl
    speakers 行者 2673  八戒 940  三藏 795  沙僧 292  国王 192 ...

The backend ``rules`` calls no API. ``--backend openai`` (OPENAI_API_KEY, OPENAI_BASE_URL) or an
endpoint's address asks a model as well, tells first what that will cost, and pays for nothing twice
(ledger.jsonl):

    python scripts/distill_dialogues.py --world worlds/mine --backend openai --model gpt-4o-mini --max-cost 2
    python scripts/distill_dialogues.py --world worlds/mine --backend http://localhost:8000/v1 --model qwen --dry-run
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "distill")

if __name__ == "__main__":
    raise SystemExit(main())
