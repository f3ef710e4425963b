"""Wiki pages and what the novel itself tells to a searchable knowledge base, in <world>/kb.

python scripts/build_knowledge_base.py --world worlds/chuiyan --query "闻筝最爱吃什么"
python scripts/build_knowledge_base.py --world worlds/mine --sources wiki summaries lines

26 pages -> 92 snippets: 4 embedded with 'bundled', 88 as before -> worlds/chuiyan/kb
1.00  闻筝最爱吃椒盐豆糕。闻筝最讨厌铁锈雨。…  [闻筝 / 喜好, 闻筝.wiki]
"""

from functools import partial

from roleplay import cli

main = partial(cli.main, "knowledge")

if __name__ == "__main__":
    raise SystemExit(main())
