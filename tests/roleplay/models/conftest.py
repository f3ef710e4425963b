"""The real tokenizer, where its file is found."""

import chatglm_data as data
import pytest

from roleplay.models.chatglm import ChatGLMTokenizer


@pytest.fixture(scope="session")
def ice_text() -> ChatGLMTokenizer:
    return ChatGLMTokenizer(str(data.ICE_TEXT))
