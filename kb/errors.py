"""The errors of the knowledge base: one small tree, each told in one line of English or Chinese.

    try:
        KnowledgeBase.load(folder)
    except KnowledgeBaseError as error:
        print(error.text("zh"))     # “worlds/x/kb”里没有知识库：请运行 python scripts/...

A message gives the rule, the value that broke it and the next step; `messages/` holds the texts by
key. Warnings are logged as a `Message` too (`record.msg`), so that a handler can tell them.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any


class Message:
    """A line that is not told yet: its key in the catalogues, and the values of its slots."""

    def __init__(self, key: str, /, **values: Any) -> None:
        self.key, self.values = key, values

    def text(self, language: str = "en") -> str:
        """The line in a language, `zh` or `en`; a value that is a message is told in the same."""
        told = {
            name: value.text(language) if isinstance(value, Message) else value
            for name, value in self.values.items()
        }
        return " ".join(catalogue(language)[self.key].format(**told).split())

    def __str__(self) -> str:
        return self.text()


class KnowledgeBaseError(Message, Exception):
    """Whatever a user of `kb` can put right; catch this one to catch them all."""


class WikiError(KnowledgeBaseError):
    """A wiki file or folder that cannot be read."""


class SnippetFileError(KnowledgeBaseError):
    """A snippets file that is missing, damaged or of another format version."""


class EmbedderError(KnowledgeBaseError):
    """An embedding model that is unknown, cannot be loaded, or gives no vectors."""


class IndexFileError(KnowledgeBaseError):
    """A saved index that is missing, damaged or of another format version."""


class IndexBusyError(KnowledgeBaseError):
    """A build of an index that another process is building now."""


class EmbedderMismatchError(KnowledgeBaseError):
    """An index made with one embedding model and opened with another."""


class QueryError(KnowledgeBaseError):
    """A search by a method that does not exist, or for no hit."""


@cache
def catalogue(language: str) -> dict[str, str]:
    """Key -> text, all of one language."""
    path = Path(__file__).parent / "messages" / f"{language}.json"
    texts: dict[str, str] = json.loads(path.read_bytes())
    return texts
