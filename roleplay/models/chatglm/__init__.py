"""ChatGLM-6B in our own code, exact to the original's numbers, registered with transformers.

    import roleplay.models.chatglm
    model = AutoModelForCausalLM.from_pretrained("THUDM/chatglm-6b-int4-qe")
    tokenizer = AutoTokenizer.from_pretrained("THUDM/chatglm-6b-int4-qe")

No code of a model's folder is ever run: these classes take the place of its ``auto_map``.
"""

import transformers

from roleplay.models.chatglm.config import ChatGLMConfig
from roleplay.models.chatglm.lm import ChatGLMForConditionalGeneration
from roleplay.models.chatglm.modeling import ChatGLMModel
from roleplay.models.chatglm.tokenizer import ChatGLMTokenizer

__all__ = ["ChatGLMConfig", "ChatGLMForConditionalGeneration", "ChatGLMModel", "ChatGLMTokenizer"]

transformers.AutoConfig.register(ChatGLMConfig.model_type, ChatGLMConfig, exist_ok=True)
transformers.AutoTokenizer.register(ChatGLMConfig, ChatGLMTokenizer, exist_ok=True)
# The original's auto_map names all three for the same class.
for auto in ("AutoModel", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
    getattr(transformers, auto).register(
        ChatGLMConfig, ChatGLMForConditionalGeneration, exist_ok=True
    )
