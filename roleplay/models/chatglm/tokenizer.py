"""The tokenizer of ChatGLM-6B: sentencepiece between fixed rewritings of whitespace.

    tokenizer = ChatGLMTokenizer("ice_text.model")
    tokenizer("你好").input_ids                    # [5, 74874, 130001, 130004]: text, [gMASK], sop
    tokenizer(["你好", "来了。"], padding=True)      # left-padded, with mask and positions
    tokenizer.decode(ids, errors="replace")        # ids without a piece become U+FFFD

In text only ``<sop> <eop> <pad> <unk> [MASK]`` are special tokens; ``[gMASK]`` that a user types is
ordinary characters, and with ``split_special_tokens=True`` everything is. Full-width marks become
ASCII and are not restored by ``decode``. Source: SPEC 6 and 7.

Letters: b batch, s tokens.
"""

import re
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import sentencepiece
import torch
from transformers import PreTrainedTokenizer
from transformers.utils import PaddingStrategy

from roleplay.errors import FormError, ModelError, RoleplayError
from roleplay.models.chatglm.positions import blocked_mask, position_rows
from roleplay.models.chatglm.shards import first_line

SPECIAL = {
    "bos_token": "<sop>",
    "eos_token": "<eop>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "[MASK]",
}
"""The tokens that are found in text; they cannot be changed."""

_NEEDED = (*SPECIAL.values(), "[gMASK]", "</s>", "<n>", "<|tab|>", "<|blank_2|>", "<|blank_80|>")
# A special token in text takes the whitespace around it with it, newlines too.
_IN_TEXT = re.compile(r"\s*(<sop>|<eop>|<pad>|<unk>|\[MASK\])\s*")
# One piece for each run of 2 to 80 blanks; of a longer run greedy matching takes 80 at a time.
_BLANKS = re.compile(r" {2,80}")
_WRITTEN = re.compile(r"<n>|<\|tab\|>|<\|blank_([2-9]|[1-7][0-9]|80)\|>")
_UNSUPPORTED = (
    "model_specific_special_tokens",
    "extra_special_tokens",
    "padding_side",
    "clean_up_tokenization_spaces",
)
"""Settings of stored configurations that would change what the original did."""
_ERRORS = ("strict", "replace")
_MARKS = {",": "，", "!": "！", ":": "：", ";": "；", "?": "？"}
_CHINESE = r"[\u4e00-\u9fff]"


class NoPieceError(RoleplayError, IndexError):
    """An id that the vocabulary has no piece for."""


class ChatGLMTokenizer(PreTrainedTokenizer):  # type: ignore[misc]
    """Pads on the left; without padding a call returns ``input_ids`` only."""

    prefix_language_model = True
    """See ``roleplay.models.causal``."""

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": "ice_text.model"}
    model_input_names: ClassVar[list[str]] = ["input_ids", "attention_mask", "position_ids"]

    def __init__(
        self,
        vocab_file: str | None = None,
        *,
        errors: str = "strict",
        num_image_tokens: int = 0,
        **kwargs: Any,
    ) -> None:
        """Load the sentencepiece file.

        Args:
            vocab_file: ``ice_text.model``.
            errors: at an id without a piece decoding raises ("strict") or gives U+FFFD ("replace").
            num_image_tokens: 0, as in the shipped configuration; others would shift every id.
            kwargs: of transformers; special tokens are fixed and those given here are ignored.

        Raises:
            ModelError: the file is missing or no sentencepiece model, or there are image tokens.
        """
        if num_image_tokens:
            raise ModelError("chatglm.image-tokens", count=num_image_tokens)
        self.vocab_file, self.errors = vocab_file, _known(errors)
        self.sp_model = _read_pieces(vocab_file)
        self.gmask_token_id = self.sp_model.piece_to_id("[gMASK]")
        self.end_token_id = self.sp_model.piece_to_id("</s>")
        kept = {
            key: value
            for key, value in kwargs.items()
            if key not in _UNSUPPORTED and not key.endswith("_token")
        }
        super().__init__(**SPECIAL, padding_side="left", errors=errors, **kept)

    @property
    def vocab_size(self) -> int:
        """Pieces of the file: 130,344, fewer than the rows of the model's head."""
        return int(self.sp_model.get_piece_size())

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return {self.sp_model.id_to_piece(number): number for number in range(self.vocab_size)}

    def get_vocab(self) -> dict[str, int]:
        """Piece -> id."""
        return self._vocabulary

    def tokenize(self, text: str, **kwargs: Any) -> list[str]:
        """The pieces of ``text``; special tokens in it stand alone, without whitespace around."""
        if kwargs.get("split_special_tokens", self.split_special_tokens):
            return self._tokenize(text)
        tokens: list[str] = []
        for number, part in enumerate(_IN_TEXT.split(text)):  # every other part is a special token
            tokens += [part] if number % 2 else self._tokenize(part)
        return tokens

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        """Pieces of text without special tokens; empty text has none, not even the dummy blank."""
        text = text.replace("\n", "<n>").replace("\t", "<|tab|>")
        text = _BLANKS.sub(lambda run: f"<|blank_{len(run[0])}|>", text)
        pieces: list[str] = self.sp_model.encode(text, out_type=str)
        return pieces

    def text_ids(self, text: str) -> list[int]:
        """The ids of ``text`` taken as plain characters, ``[gMASK]`` and ``<eop>`` too."""
        ids: list[int] = self.encode(text, add_special_tokens=False, split_special_tokens=True)
        return ids

    def encode_prompt(self, segments: Sequence[str]) -> list[int]:
        """``text [gMASK] sop``: the segments as one text, as the seed's training read them."""
        return self.build_inputs_with_special_tokens(self.text_ids("".join(segments)))

    def encode_answer(self, text: str) -> list[int]:
        """What follows a prompt: the answer and eop."""
        return [*self.text_ids(text), self.eos_token_id]

    def reply_text(self, ids: list[int]) -> str:
        """A reply as it is shown: full-width marks stand beside Chinese characters again."""
        return clean_response(self.decode(ids, errors="replace"))

    def _convert_token_to_id(self, token: str) -> int:
        return int(self.sp_model.piece_to_id(token))

    def _convert_id_to_token(self, index: int) -> str:
        return str(self.sp_model.id_to_piece(index))

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text of pieces, as :meth:`decode` gives it for their ids."""
        return self._decode([self._convert_token_to_id(token) for token in tokens])

    def _decode(
        self,
        token_ids: int | list[int],
        skip_special_tokens: bool = False,
        errors: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Text of ids without padding and control pieces; unk gives " ⁇ ", bad bytes U+FFFD.

        Args:
            skip_special_tokens: changes nothing, they are never shown.
            errors: "strict" or "replace"; None takes the tokenizer's own.

        Raises:
            NoPieceError: "strict", and an id has no piece (the model's head has 184 such rows).
        """
        ids = [token_ids] if isinstance(token_ids, int) else [int(number) for number in token_ids]
        ids = [number for number in ids if number != self.pad_token_id]
        without = [number for number in ids if not 0 <= number < self.vocab_size]
        if without and _known(errors or self.errors) == "strict":
            raise NoPieceError("chatglm.no-piece", ids=str(without[:8]), last=self.vocab_size - 1)
        # A byte that is never part of UTF-8, so that sentencepiece writes U+FFFD for it.
        replacement = int(self.sp_model.piece_to_id("<0xFF>"))
        ids = [number if 0 <= number < self.vocab_size else replacement for number in ids]
        return _WRITTEN.sub(_whitespace, self.sp_model.decode(ids))

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """``text [gMASK] sop`` or ``text with [MASK] </s> sop``; a second text follows with eop."""
        ids, masks = list(token_ids_0), (self.mask_token_id, self.gmask_token_id)
        if not any(mask in ids for mask in masks):
            ids.append(self.gmask_token_id)
        if ids[-1] not in masks:
            ids.append(self.end_token_id)
        ids.append(self.bos_token_id)
        if token_ids_1 is None:
            return ids
        ids += token_ids_1
        return ids if token_ids_1 and ids[-1] == self.eos_token_id else [*ids, self.eos_token_id]

    def _pad(
        self,
        encoded_inputs: Any,
        max_length: int | None = None,
        padding_strategy: PaddingStrategy = PaddingStrategy.DO_NOT_PAD,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
    ) -> Any:
        """One row, padded on the left, with its mask bool [1, s, s] and positions int64 [2, s].

        Raises:
            FormError: padding on the right is asked for.
        """
        if padding_strategy == PaddingStrategy.DO_NOT_PAD:
            return encoded_inputs
        if "right" in (padding_side, self.padding_side):
            raise FormError("chatglm.padding")
        ids = list(encoded_inputs["input_ids"])
        fixed = None if padding_strategy == PaddingStrategy.LONGEST else max_length
        length = len(ids) if fixed is None else fixed
        if pad_to_multiple_of:
            length = -(-length // pad_to_multiple_of) * pad_to_multiple_of
        padding = max(length - len(ids), 0)
        encoded_inputs["input_ids"] = [self.pad_token_id] * padding + ids
        mask, positions = self._mask_and_positions(encoded_inputs["input_ids"], padding)
        if return_attention_mask is not False:
            encoded_inputs["attention_mask"] = mask
        encoded_inputs["position_ids"] = positions
        return encoded_inputs

    def _mask_and_positions(self, ids: list[int], padding: int) -> tuple[Any, Any]:
        """The row's own rule: its [MASK] counts, else [gMASK]; without sop all of it is context."""
        length = len(ids)
        context = ids.index(self.bos_token_id) if self.bos_token_id in ids else length
        wanted = self.mask_token_id if self.mask_token_id in ids else self.gmask_token_id
        mask = ids.index(wanted) if wanted in ids else padding
        places = {"context": context, "mask": mask, "start": padding}
        rows = position_rows(
            length, **{name: torch.tensor([[place]]) for name, place in places.items()}
        )
        blocked = blocked_mask(rows[:, 1], real=torch.arange(length)[None] >= padding)
        assert blocked is not None
        return blocked[0].numpy(), rows[0].numpy()

    def save_vocabulary(
        self, save_directory: str, filename_prefix: str | None = None
    ) -> tuple[str]:
        """Copy the sentencepiece file."""
        name = f"{filename_prefix}-" * bool(filename_prefix) + self.vocab_files_names["vocab_file"]
        target = Path(save_directory) / name
        if self.vocab_file and Path(self.vocab_file).resolve() != target.resolve():
            shutil.copyfile(self.vocab_file, target)
        return (str(target),)


def clean_response(text: str) -> str:
    """Stripped, the training date filled in, ``, ! : ; ?`` beside Chinese characters full-width.

    For each mark in turn: first where it follows a character of U+4E00 to U+9FFF, then where it
    precedes one; one pass each, as in the original, so that "中文,,," becomes "中文，,,".
    """
    text = text.strip().replace("[[训练时间]]", "2023年")
    for mark, wide in _MARKS.items():
        text = re.sub(f"({_CHINESE}){re.escape(mark)}", rf"\1{wide}", text)
        text = re.sub(f"{re.escape(mark)}({_CHINESE})", rf"{wide}\1", text)
    return text


def _known(errors: str) -> str:
    if errors not in _ERRORS:
        raise FormError("chatglm.errors", known=" ".join(_ERRORS), value=errors)
    return errors


def _read_pieces(path: str | None) -> Any:
    if not path or not Path(path).is_file():
        raise ModelError("chatglm.no-tokenizer", path=path or "ice_text.model")
    try:
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise ModelError("chatglm.no-pieces", path=path, detail=first_line(error)) from error
    lacking = [piece for piece in _NEEDED if pieces.id_to_piece(pieces.piece_to_id(piece)) != piece]
    if lacking:
        raise ModelError("chatglm.other-vocabulary", path=path, lacking=" ".join(lacking))
    return pieces


def _whitespace(written: re.Match[str]) -> str:
    if written[1]:
        return " " * int(written[1])
    return "\n" if written[0] == "<n>" else "\t"
