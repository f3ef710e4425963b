"""The local backend: any causal LM of transformers, with or without an adapter, n candidates from one prefill.

    backend = LocalBackend.load("gemma3-270m", Path("checkpoints/chuiyan-gemma3-270m-prefix"))
    for snapshot in backend.stream(prompt, n=5, params=SamplingParams(seed=1)):
        print(snapshot)

The prompt runs once, in a batch of one; its cache is then repeated for the candidates, which decode as one batch. A reply
ends at its line break or at the end-of-text token.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from roleplay.adapters.checkpoint import AdapterInfo, load_adapter, public_name
from roleplay.adapters.lora import merged
from roleplay.adapters.prefix import length_of, prefix_cache
from roleplay.backends.base import generate
from roleplay.errors import PromptError
from roleplay.models import causal, embedded
from roleplay.prompts import Prompt
from roleplay.sampling import SamplingParams, check_samples, decode


class LocalBackend:
    """A model in this process. One prompt runs at a time; others wait."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str = "model", adapter: AdapterInfo | None = None) -> None:
        """Take a loaded model; ``adapter`` describes the PEFT model that wraps it, or the prefix inside it, if any."""
        self.name = name
        self.adapter = adapter
        self.tokenizer = tokenizer
        self._vocabulary = causal.vocabulary_size(tokenizer)
        self._prefix: list[tuple[torch.Tensor, torch.Tensor]] = []
        if length_of(model):
            with torch.no_grad():
                self._prefix = [(layer.keys, layer.values) for layer in prefix_cache(model).layers]
            model = model.get_base_model()
        elif adapter and adapter.kind == "lora":
            model = merged(model)
        self.model = model
        self.context = int(getattr(model.config, "max_position_embeddings", 2048)) - self.prefix_length
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        name: str = embedded.NAME,
        checkpoint: Path | None = None,
        *,
        quantization_bit: int = 0,
        on_progress: embedded.Progress = lambda text: None,
    ) -> LocalBackend:
        """Load a model by name, folder or hub id, and an adapter by its folder.

        Args:
            quantization_bit: 4 or 8, for a ChatGLM that is stored in full.

        Raises:
            ModelError: no such model, or not enough memory for it.
            AdapterError: the adapter is not for this model, or broken.
        """
        path = causal.resolve(name, on_progress=on_progress)
        on_progress("loading the tokenizer")
        tokenizer = causal.load_tokenizer(path)
        on_progress("loading the weights")
        model = causal.load_causal(path, quantization_bit=quantization_bit)
        if getattr(model, "kernel", "none") != "none":
            on_progress(f"packed weights are multiplied by the kernel {model.kernel}")
        adapter = None
        if checkpoint is not None:
            on_progress("loading the adapter")
            model, adapter = load_adapter(model, checkpoint, name=public_name(name))
        backend = cls(model, tokenizer, name=public_name(name), adapter=adapter)
        causal.use_few_rows_linear(backend.model)
        return backend

    @property
    def prefix_length(self) -> int:
        """Positions that the adapter's prefix takes; a prefix inside the model takes none."""
        return self._prefix[0][0].shape[2] if self._prefix else 0

    def count(self, text: str) -> int:
        """Tokens of ``text``, special tokens not counted."""
        return causal.count_tokens(self.tokenizer, text)

    def encode(self, prompt: Prompt) -> torch.Tensor:
        """int64 [1, tokens], in the tokenizer's way of encoding a prompt."""
        return torch.tensor([causal.encode_prompt(self.tokenizer, prompt.segments)], device=self.model.device)

    def stream(self, prompt: Prompt, *, n: int, params: SamplingParams) -> Iterator[list[str]]:
        """The replies of ``n`` candidates as they grow.

        Raises:
            SamplingError: ``n`` is out of range.
            PromptError: the prompt and the reply do not fit the model's context.
        """
        check_samples(n)
        ids = self.encode(prompt)
        self._check_length(ids.shape[1], params)
        with self._lock, torch.inference_mode():
            for rows in self._decode(ids, n, params):
                yield [causal.reply_text(self.tokenizer, row) for row in rows]

    def _check_length(self, tokens: int, params: SamplingParams) -> None:
        if tokens + params.max_new_tokens > self.context:
            raise PromptError(
                f"the prompt has {tokens} tokens and the reply may take {params.max_new_tokens}, "
                f"{self.name} holds {self.context}: shorten the prompt"
            )

    def reply_to_all(self, prompts: Sequence[Prompt], *, params: SamplingParams) -> list[str]:
        """One reply to each of many prompts, all decoded as one batch: for measuring, where nobody waits for the first.

        Greedy replies are those of :meth:`stream`; drawn ones differ, as one seed serves the whole batch.

        Raises:
            PromptError: a prompt and its reply do not fit the model's context.
        """
        if causal.is_prefix_lm(self.model):
            return [generate(self, prompt, n=1, params=params)[0] for prompt in prompts]
        encoded = [causal.encode_prompt(self.tokenizer, prompt.segments) for prompt in prompts]
        longest = max(map(len, encoded), default=0)
        self._check_length(longest, params)
        padding = torch.tensor([longest - len(ids) for ids in encoded], device=self.model.device)
        ids = torch.tensor([[0] * (longest - len(ids)) + ids for ids in encoded], device=self.model.device)
        with self._lock, torch.inference_mode():
            *_, rows = self._decode_all(ids, padding, params)
        return [causal.reply_text(self.tokenizer, row) for row in rows]

    def _decode_all(
        self, ids: torch.Tensor, padding: torch.Tensor, params: SamplingParams
    ) -> Iterator[list[list[int]]]:
        cache = self.new_cache(len(ids))
        left = padding

        def step(tokens: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
            nonlocal left
            if len(kept) < len(left):
                cache.batch_select_indices(kept)
                left = left[kept]
            return self._logits(tokens[:, None], cache, left)

        yield from decode(step, self._logits(ids, cache, left), n=len(ids), params=params, is_done=self.ends)

    def new_cache(self, rows: int = 1) -> Any:
        """A cache that holds the adapter's prefix, if there is one, for so many rows, and nothing else."""
        cache = causal.new_cache(self.model)
        for layer, (keys, values) in enumerate(self._prefix):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        return cache

    def _decode(self, ids: torch.Tensor, n: int, params: SamplingParams) -> Iterator[list[list[int]]]:
        cache = self.new_cache()
        logits = self._logits(ids, cache)
        cache.batch_repeat_interleave(n)
        rows = n

        def step(tokens: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
            nonlocal rows
            if len(kept) < rows:
                cache.batch_select_indices(kept)
                rows = len(kept)
            return self._logits(tokens[:, None], cache)

        yield from decode(step, logits, n=n, params=params, is_done=self.ends)

    def _logits(self, ids: torch.Tensor, cache: Any, padding: torch.Tensor | None = None) -> torch.Tensor:
        """float [b, vocabulary of the tokenizer] after the last of ``ids`` [b, q]."""
        hidden = causal.hidden_states(self.model, ids, cache=cache, prefix_length=self.prefix_length, padding=padding)
        logits: torch.Tensor = causal.head(self.model)(hidden[:, -1])
        return logits[:, : self._vocabulary]

    def ends(self, ids: list[int]) -> bool:
        """Whether a reply with these ids is finished: a line break, or the end-of-text token."""
        return ids[-1] == self.tokenizer.eos_token_id or "\n" in self.tokenizer.decode(ids[-1:])
