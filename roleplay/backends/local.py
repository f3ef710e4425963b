"""The local backend: any causal LM of transformers and an adapter, n candidates from one prefill.

    backend = LocalBackend.load("gemma3-270m", Path("checkpoints/chuiyan-gemma3-270m-prefix"))
    for snapshot in backend.stream(prompt, n=5, params=SamplingParams(seed=1)):
        print(snapshot)

The prompt runs once, in a batch of one; its cache is then repeated for the candidates, which decode
as one batch. A reply ends at its line break or at the end-of-text token.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from roleplay.adapters.checkpoint import AdapterInfo, load_adapter, public_name
from roleplay.adapters.lora import merged
from roleplay.adapters.prefix import length_of, prefix_cache
from roleplay.backends.base import generate
from roleplay.backends.batching import Batch
from roleplay.errors import PromptError
from roleplay.messages import message
from roleplay.models import bundled, causal, loading, quantize, small_batch
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams, check_samples, decode

T = TypeVar("T")
_WORTH = 32  # Tokens from which on a prompt is worth remembering.


@dataclass(frozen=True)
class _Read:
    """A prompt that was read: its ids, keys and values by layer with the prefix, the last state."""

    ids: list[int]
    layers: list[tuple[Tensor, Tensor]]
    last: Tensor


def _shared(one: Sequence[int], two: Sequence[int]) -> int:
    """How many first ids are the same."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(two)))


class LocalBackend:
    """A model in this process. What several callers ask is answered as one batch."""

    def __init__(
        self, model: Any, tokenizer: Any, *, name: str = "model", adapter: AdapterInfo | None = None
    ) -> None:
        """Take a loaded model; ``adapter`` tells of what PEFT wraps around it, or its prefix."""
        self.name, self.adapter, self.tokenizer = name, adapter, tokenizer
        self._vocabulary = causal.vocabulary_size(tokenizer)
        self._prefix: list[tuple[Tensor, Tensor]] = []
        length = self.prefix_length = length_of(model)
        """Positions that the adapter's prefix takes; a prefix inside the model takes none."""
        if length:
            with torch.no_grad():
                self._prefix = [(layer.keys, layer.values) for layer in prefix_cache(model).layers]
            model = model.get_base_model()
        elif adapter and adapter.kind == "lora":
            model = merged(model)
        self.model = model
        self.context = int(getattr(model.config, "max_position_embeddings", 2048)) - length
        self._batch = Batch(self)
        self._last_read: _Read | None = None

    @classmethod
    def load(
        cls,
        name: str = bundled.NAME,
        checkpoint: Path | None = None,
        *,
        quantization_bit: int = 0,
        whole: bool = False,
        on_progress: bundled.Progress = lambda text: None,
    ) -> Self:
        """Load a model by name, folder or hub id, and an adapter by its folder.

        Args:
            quantization_bit: 4 or 8, for a ChatGLM that is stored in full.
            whole: leave the weights as they are on a CPU, where they else become int8.

        Raises:
            ModelError: no such model, or not enough memory for it.
            AdapterError: the adapter is not for this model, or broken.
        """
        path, adapter = loading.resolve(name, on_progress=on_progress), None
        on_progress(message("backends.tokenizer"))
        tokenizer = loading.load_tokenizer(path)
        on_progress(message("backends.weights"))
        model = loading.load_causal(path, quantization_bit=quantization_bit)
        if getattr(model, "kernel", "none") != "none":
            on_progress(message("backends.kernel", kernel=model.kernel))
        if checkpoint is not None:
            on_progress(message("backends.adapter"))
            model, adapter = load_adapter(model, checkpoint, name=public_name(name))
            if adapter.template == "plain" and hasattr(tokenizer, "chat_template"):
                tokenizer.chat_template = None  # its prompts are those that it was trained on
        backend = cls(model, tokenizer, name=public_name(name), adapter=adapter)
        return backend if whole else backend.packed()

    def packed(self) -> Self:
        """Itself, on a CPU with int8 weights, or where there are none faster float32 layers."""
        if self.model.device.type == "cpu" and quantize.suits(self.model):
            quantize.to_int8(self.model)
        small_batch.use_few_rows_linear(self.model)
        return self

    def count(self, text: str) -> int:
        """Tokens of ``text``, special tokens not counted."""
        return causal.count_tokens(self.tokenizer, text)

    def encode(self, prompt: Prompt) -> Tensor:
        """int64 [1, tokens], in the tokenizer's way of encoding a prompt."""
        ids = causal.encode_prompt(self.tokenizer, prompt.segments)
        return torch.tensor([ids], device=self.model.device)

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        """The replies of ``n`` candidates as they grow.

        Raises:
            SamplingError: ``n`` is out of range.
            PromptError: the prompt and the reply do not fit the model's context.
        """
        check_samples(n)
        ids = self.encode(prompt)
        self._check_fits(ids, params)
        if causal.keeps_keys(self.model):
            drawn = self._batch.stream(ids, n=n, params=params)
        else:
            drawn = self._batch.alone(lambda: self.decode(ids, n=n, params=params))
        for rows in drawn:
            yield [causal.reply_text(self.tokenizer, row) for row in rows]

    def reply_to_all(self, prompts: Sequence[Prompt], *, params: SamplingParams) -> list[str]:
        """One reply to each prompt, all as one batch: for measuring, where nobody waits for one.

        Greedy replies are those of :meth:`stream`; drawn ones differ, as the batch has one seed.

        Raises:
            PromptError: a prompt and its reply do not fit the model's context.
        """
        if causal.is_prefix_lm(self.model) or not prompts:  # its positions know no padding
            return [generate(self, prompt, n=1, params=params)[0] for prompt in prompts]
        encoded = [causal.encode_prompt(self.tokenizer, prompt.segments) for prompt in prompts]
        missing = [max(map(len, encoded)) - len(ids) for ids in encoded]
        # Which token fills a gap is no matter: no row sees its own.
        padded = [[0] * gap + ids for gap, ids in zip(missing, encoded, strict=True)]
        rows, gaps = (torch.tensor(part, device=self.model.device) for part in (padded, missing))
        self._check_fits(rows, params)
        options: dict[str, Any] = {"n": len(prompts), "params": params, "padding": gaps}
        *_, found = self._batch.alone(lambda: self.decode(rows, **options))
        return [causal.reply_text(self.tokenizer, row) for row in found]

    def _check_fits(self, ids: Tensor, params: SamplingParams) -> None:
        tokens, most = ids.shape[1], params.max_new_tokens
        if tokens + most > self.context:
            known = {"name": self.name, "context": self.context}
            raise PromptError("backends.too-long", tokens=tokens, reply=most, **known)

    def paused(self) -> AbstractContextManager[Any]:
        """Wait until no reply is being written; new ones wait as long as this is held."""
        return self._batch.paused()

    def between(self, work: Callable[[], T]) -> T:
        """What ``work`` computes with the model, while no reply goes on."""
        return self._batch.run(work)

    def decode(
        self, ids: Tensor, *, n: int, params: SamplingParams, padding: Tensor | None = None
    ) -> Iterator[list[list[int]]]:
        """The new ids of ``n`` candidates as they grow, under the caller's inference mode.

        Args:
            ids: int64 [1, q], one prompt for all candidates, or [n, q], one for each.
            padding: int64 [n], tokens at the start of each row that are nothing.
        """
        live = n
        if len(ids) == 1 and padding is None:
            cache, hidden = self.read(ids)
            logits = self.words(hidden)
        else:
            cache = self.new_cache(len(ids))
            logits = self.step(ids, cache, padding)
        cache.batch_repeat_interleave(n // len(ids))  # by 1 where each row is its own prompt

        def step(tokens: Tensor, kept: Tensor) -> Tensor:
            nonlocal live, padding
            if len(kept) < live:
                cache.batch_select_indices(kept)
                padding, live = None if padding is None else padding[kept], len(kept)
            return self.step(tokens[:, None], cache, padding)

        yield from decode(step, logits, n=n, params=params, is_done=self.ends)

    def new_cache(self, rows: int = 1) -> Any:
        """A cache of so many rows that holds the adapter's prefix, if any, and nothing else."""
        cache = causal.new_cache(self.model)
        for layer, (keys, values) in enumerate(self._prefix):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        return cache

    def read(self, ids: Tensor) -> tuple[Any, Tensor]:
        """A cache of one row that has read ``ids`` int64 [1, q], and the last state [1, 1, h].

        What begins as the prompt before did is not read again: the same prompt gives the same
        states, to the bit; another one's differ in the last digits from those of a first reading.
        """
        asked, before = ids[0].tolist(), self._last_read
        # There the end of a prompt changes its beginning, or no key tells of one token alone.
        whole = causal.is_prefix_lm(self.model) or not causal.keeps_keys(self.model)
        if before and before.ids == asked:
            return self._cache_of(before, len(asked)), before.last
        shared = 0 if whole or not before else _shared(before.ids, asked)
        shared = min(shared, len(asked) - 1)
        cache = self._cache_of(before, shared) if before and shared else self.new_cache()
        more: dict[str, Any] = {"prefix_length": self.prefix_length}
        hidden = causal.hidden_states(self.model, ids[:, shared:], cache=cache, **more)
        if not whole and len(asked) >= _WORTH:
            # Layers put new keys into new tensors: these stay as they are.
            layers = [(layer.keys, layer.values) for layer in cache.layers]
            self._last_read = _Read(asked, layers, hidden[:, -1:])
        return cache, hidden[:, -1:]

    def _cache_of(self, read: "_Read", tokens: int) -> Any:
        """A cache that holds the prefix and the first so many tokens of what was read."""
        cache, size = causal.new_cache(self.model), self.prefix_length + tokens
        for layer, (keys, values) in enumerate(read.layers):
            cache.update(keys[:, :, :size], values[:, :, :size], layer)
        return cache

    def words(self, hidden: Tensor) -> Tensor:
        """float [b, vocabulary of the tokenizer] of the last states [b, q, h]."""
        logits: Tensor = causal.head(self.model)(hidden[:, -1])
        return logits[:, : self._vocabulary]  # a head may have rows that stand for nothing

    def step(self, ids: Tensor, cache: Any, padding: Tensor | None = None) -> Tensor:
        """float [b, vocabulary of the tokenizer] after the last of ``ids`` [b, q]."""
        more: dict[str, Any] = {"prefix_length": self.prefix_length, "padding": padding}
        return self.words(causal.hidden_states(self.model, ids, cache=cache, **more))

    def ends(self, ids: list[int]) -> bool:
        """Whether a reply with these ids is finished: a line break, or the end-of-text token."""
        return ids[-1] == self.tokenizer.eos_token_id or "\n" in self.tokenizer.decode(ids[-1:])
