"""What stands before a prompt: the start token, or the opening of an instruct model's chat.

    opening_ids(tokenizer)      # [2] for a base model
    opening(tokenizer)          # "<|im_start|>user\\n下面是…<|im_end|>\\n<|im_start|>assistant\\n"

An instruct model is asked once to go on with a script, and the script (background, lines and the
cue) is the beginning of its answer. So a line has the same ids wherever it stands, a passage
teaches all its lines in one pass, and candidates, ranking and training work as for a base model.
"""

from typing import Any

TASK = (
    "请接着写下面这个故事的剧本。【】里是背景和旁白，其余每行先写角色的名字和冒号，再写这个角色说的话。"
    "每句话都要像这个角色自己说的，一句一行，只写剧本本身。"
)
"""What an instruct model is asked."""


def has_chat(tokenizer: Any) -> bool:
    """Whether prompts are wrapped: the tokenizer has a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))


def opening_ids(tokenizer: Any) -> list[int]:
    """The ids before a prompt's first segment."""
    if has_chat(tokenizer):
        ids: list[int] = _apply(tokenizer, tokenize=True, return_dict=False)
        return ids
    return [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]


def opening(tokenizer: Any) -> str:
    """The same as text, for programs that put the start token there themselves."""
    if not has_chat(tokenizer):
        return ""
    text: str = _apply(tokenizer, tokenize=False)
    return text.removeprefix(tokenizer.bos_token or "")


def _apply(tokenizer: Any, **more: Any) -> Any:
    asked = [{"role": "user", "content": TASK}]
    # A template that knows nothing of thinking overlooks the switch.
    more |= {"add_generation_prompt": True, "enable_thinking": False}
    return tokenizer.apply_chat_template(asked, **more)
