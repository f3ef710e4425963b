"""The knowledge base: wiki pages in, the few snippets that answer a question out.

    kb.wiki       files -> entries            kb.embedding  texts -> unit vectors
    kb.snippets   entries -> snippets         kb.keyword    BM25 over character bigrams
    kb.index      snippets + vectors on disk  kb.retrieval  search, what the others exist for

    >>> from kb.retrieval import KnowledgeBase
    >>> KnowledgeBase.load("worlds/chuiyan/kb").search("沈灯喜欢吃什么", k=3)[0].snippet.display
    '沈灯：最喜欢镇口的桂花糕。'

It knows nothing of characters, prompts or models, and imports nothing of `roleplay`.
"""
