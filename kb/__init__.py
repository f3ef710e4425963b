"""The knowledge base: wiki pages in, the few snippets that answer a question out.

    kb.wiki       files -> entries            kb.index      snippets + vectors on disk
    kb.snippets   entries, plot -> snippets   kb.keyword    BM25 over character bigrams
    kb.embedding  texts -> unit vectors       kb.asking     whom a question is about
    kb.names      names found whole           kb.retrieval  search, what the others exist for

    >>> from kb.retrieval import KnowledgeBase
    >>> KnowledgeBase.load("worlds/chuiyan/kb").search("闻筝最爱吃什么", k=1)[0].snippet.text
    '闻筝最爱吃椒盐豆糕。闻筝最讨厌铁锈雨。闻筝最爱哼的歌是《檐角谣》。…'

It knows nothing of characters, prompts or models, and imports nothing of `roleplay`.
"""
