"""The errors of the knowledge base: one small tree, every message one readable line.

    try:
        KnowledgeBase.load(folder)
    except KnowledgeBaseError as error:
        print(error)
    # no knowledge base in 'worlds/x/kb': run python scripts/build_knowledge_base.py --world worlds/x

A message gives the rule, the value that broke it and the next step. Nothing is caught or logged here.
"""


class KnowledgeBaseError(Exception):
    """Whatever a user of `kb` can put right; catch this one to catch them all."""


class WikiError(KnowledgeBaseError):
    """A wiki file or folder that cannot be read."""


class SnippetFileError(KnowledgeBaseError):
    """A snippets file that is missing, damaged or of another format version."""


class EmbedderError(KnowledgeBaseError):
    """An embedding model that is unknown, cannot be loaded, or gives something other than vectors."""


class IndexFileError(KnowledgeBaseError):
    """A saved index that is missing, damaged or of another format version."""


class IndexBusyError(KnowledgeBaseError):
    """A build of an index that another process is building now."""


class EmbedderMismatchError(KnowledgeBaseError):
    """An index made with one embedding model and opened with another."""


class QueryError(KnowledgeBaseError):
    """A search that asks for something that does not exist (a method, a negative count)."""


class QuestionSetError(KnowledgeBaseError):
    """A file of passages or questions that cannot be read."""
