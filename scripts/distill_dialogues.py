"""A novel to a script: writes chunks.jsonl, script.jsonl and report/distill.json of a world.

    python scripts/distill_dialogues.py --world worlds/mine --novel ~/books/xiyouji.txt
    python scripts/distill_dialogues.py --world worlds/mine

    read     utf-8, 735848 characters, 101 chapters -> 761 chunks
    script   17483 lines: 11039 spoken, 75 % with a speaker, 2795 unknown -> ...
    speakers 行者 2673  八戒 940  三藏 795  沙僧 292  国王 192 ...

With ``--novel`` the world is made. The backend ``rules`` calls no API. ``openai`` (OPENAI_API_KEY,
OPENAI_BASE_URL) or an endpoint's address asks a model as well, tells first what that will cost, and
pays for nothing twice (ledger.jsonl)::

    distill_dialogues.py --world worlds/mine --backend openai --model gpt-4o-mini --max-cost 2
    distill_dialogues.py --world worlds/mine --backend http://localhost:8000/v1 --model qwen
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "distill")

if __name__ == "__main__":
    raise SystemExit(main())
