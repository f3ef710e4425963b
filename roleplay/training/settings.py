"""How an adapter is trained; the defaults are those of the shipped adapter.

TrainSettings(adapter="prefix", max_steps=200).learning_rate     # 0.03, a prefix's own
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from roleplay.adapters.start import SHIPPED
from roleplay.messages import Message, message
from roleplay.options import Options, option

AdapterKind = Literal["prefix", "lora"]

RATES: dict[str, float] = {"prefix": 3e-2, "lora": 1e-3}
"""The learning rates of the adapters, where the model's family has no other."""


@dataclass(frozen=True)
class TrainSettings(Options):
    """One training run; a step is ``batch`` rows, lengths are in tokens.

    Raises:
        UsageError: values out of range, or none for the steps; all are named at once.
    """

    adapter: AdapterKind = option(
        None,  # so that the help names no default: it depends on the model
        "prefix (P-Tuning v2) or lora (default: prefix for ChatGLM or with --pre-seq-len)",
        "prefix（P-Tuning v2）或 lora（默认：ChatGLM 或写了 --pre-seq-len 时为 prefix）",
    )
    pre_seq_len: int = option(64, "length of the prefix", "前缀的长度", least=1)
    prefix_projection: bool = option(
        False, "ChatGLM: the prefix goes through two linear layers", "ChatGLM：前缀经过两个线性层"
    )
    lora_rank: int = option(16, "rank of LoRA's updates", "LoRA 更新的秩", least=1)
    learning_rate: float = option(
        0.0,
        "0 takes the adapter's own: 3e-2 for a prefix (ChatGLM: 2e-2), 1e-3 for LoRA",
        "0 表示适配器自己的：前缀 3e-2（ChatGLM 2e-2），LoRA 1e-3",
        least=0,
    )
    epochs: float = option(2.0, "passes over the rows", "全部数据过几遍")
    max_steps: int = option(
        -1, "above 0: so many steps, whatever the epochs", "大于 0：只走这么多步，不看 epochs"
    )
    minutes: float = option(
        0.0,
        "above 0: so long on this machine, by two timed passes, whatever the epochs",
        "大于 0：在这台机器上大约练这么多分钟（先试跑两遍来估计），不看 epochs",
        least=0,
    )
    test_rows: int = option(
        64, "most rows of the held-out loss, always the same ones", "留出损失最多用几行", least=1
    )
    batch: int = option(4, "rows a step", "每步几行", least=1)
    micro_batch: int = option(
        1, "rows in one pass: more are faster on a GPU", "一次前向几行：显卡上多些更快", least=1
    )
    weight_decay: float = option(0.0, "of the adapter's weights", "适配器权重的衰减", least=0)
    warmup_steps: int = option(8, "steps in which the rate rises", "学习率上升的步数", least=0)
    log_steps: int = option(5, "steps between two figures", "每几步记一次指标", least=1)
    eval_steps: int = option(
        32, "steps between evaluations; each saves a state", "每几步评估并存档一次", least=1
    )
    max_tokens: int = option(
        1024,
        "the longest passage; older tokens are cut (all but ChatGLM)",
        "最长的段落，超出时去掉最早的部分（ChatGLM 以外）",
        least=32,
    )
    max_source_length: int = option(
        512, "ChatGLM: the longest prompt, cut at its start", "ChatGLM：提示最长几个词元", least=1
    )
    max_target_length: int = option(
        128, "ChatGLM: the longest answer; its end is cut", "ChatGLM：回答最长几个词元", least=1
    )
    quantization_bit: Literal[0, 4, 8] = option(
        0, "ChatGLM stored in full: load it in 4 or 8 bits", "ChatGLM：载入时量化为 4 或 8 位"
    )
    patience: int = option(
        0,
        "end after so many evaluations without a better held-out loss, 0: never",
        "评估几次都没有更好就停，0 表示不停",
        least=0,
    )
    kl_weight: float = option(
        1.0,
        "on general rows: weight of the divergence from the base model, 0: none",
        "普通文本上与原模型差异的权重，0 表示不管",
        least=0,
        old=("keep_weight",),
    )
    start: str = option(
        SHIPPED,
        "adapter to start from: shipped, none, or its folder",
        "从哪个适配器起步：shipped（自带的）、none（不用）或文件夹",
    )
    seed: int = option(7, "of every choice", "一切随机选择的种子")

    def problems(self) -> Iterator[Message]:
        """Neither epochs nor steps; a step that is no whole number of passes."""
        if self.epochs <= 0 and self.max_steps < 1 and not self.minutes:
            yield message("training.no-steps")
        if self.batch % self.micro_batch:
            yield message("training.micro-batch", batch=self.batch, micro=self.micro_batch)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = self.adapter or "lora"
        object.__setattr__(self, "adapter", kind)
        object.__setattr__(self, "learning_rate", self.learning_rate or RATES[kind])

    @classmethod
    def chosen(
        cls, given: Mapping[str, Any], *, adapter: AdapterKind, rates: Mapping[str, float]
    ) -> Self:
        """Settings of which some are given, by field name; raises as the class.

        ``adapter`` and its ``rates`` are those of the model's family, where nothing else is said.
        A ``pre_seq_len`` alone asks for a prefix, as in the seed's script.
        """
        kind = given.get("adapter") or ("prefix" if "pre_seq_len" in given else adapter)
        rate = given.get("learning_rate") or rates.get(kind, 0.0)
        return cls(**{**given, "adapter": kind, "learning_rate": rate})

    @property
    def prefix_length(self) -> int:
        """Virtual positions before the text: 0 with LoRA."""
        return self.pre_seq_len if self.adapter == "prefix" else 0
