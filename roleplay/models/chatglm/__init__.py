"""ChatGLM-6B in our own code, exact to the original's numbers; importing this package registers it with the Auto classes.

    import roleplay.models.chatglm
    model = AutoModelForCausalLM.from_pretrained("THUDM/chatglm-6b-int4-qe")
    tokenizer = AutoTokenizer.from_pretrained("THUDM/chatglm-6b-int4-qe")

No code of a model's folder is ever run: these classes take the place of what its ``auto_map`` names.
"""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from roleplay.models.chatglm.config import ChatGLMConfig
from roleplay.models.chatglm.lm import ChatGLMForConditionalGeneration
from roleplay.models.chatglm.modeling import ChatGLMModel
from roleplay.models.chatglm.tokenizer import ChatGLMTokenizer

__all__ = ["ChatGLMConfig", "ChatGLMForConditionalGeneration", "ChatGLMModel", "ChatGLMTokenizer"]

AutoConfig.register(ChatGLMConfig.model_type, ChatGLMConfig, exist_ok=True)
AutoTokenizer.register(ChatGLMConfig, ChatGLMTokenizer, exist_ok=True)
for auto in (AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM):
    auto.register(ChatGLMConfig, ChatGLMForConditionalGeneration, exist_ok=True)
