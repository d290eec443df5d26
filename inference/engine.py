"""Say what a generation takes and gives, and the one protocol that every engine implements.

Nothing here knows about processes, queues or people: the pool (`inference.pool`) adds those around it, the
engines (`inference.engines`) sit below it, and both speak only in the types of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["complete", "stopped", "length", "timeout"]
EngineName = Literal["llamacpp", "native", "ctransformers", "scripted"]
Sandbox = Literal["strict", "best-effort"]


MAX_SCHEMA_CHARS = 20_000


def _(text: str) -> str:
    """Mark a text for translation at the edge."""
    return text


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """Hold one message of a conversation as the model shall see it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """Say how the next words are chosen.

    `seed=None` is random; temperature 0 always takes the likeliest word; `top_k=0` considers all. `json_schema` is the
    text of a JSON schema that the answer must fit; "" asks for free text.
    """

    max_new_tokens: int = 512
    temperature: float = 0.7
    top_k: int = 20
    top_p: float = 0.8
    repeat_penalty: float = 1.1
    seed: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: str = ""

    def __post_init__(self) -> None:
        """Refuse values that an engine would take silently and answer with nonsense."""
        if self.max_new_tokens < 1:
            raise ValueError("max_new_tokens must be at least 1")
        if not 0 <= self.temperature <= 5 or not 0 < self.top_p <= 1 or not 0 < self.repeat_penalty <= 5:
            raise ValueError("temperature, top_p or repeat_penalty is out of range")
        if not 0 <= self.top_k <= 1000:
            raise ValueError("top_k is out of range")
        if len(self.stop) > 16 or any(not 0 < len(text) <= 64 for text in self.stop):
            raise ValueError("stop takes at most 16 texts of 1 to 64 characters")
        if len(self.json_schema) > MAX_SCHEMA_CHARS:
            raise ValueError("json_schema is too long")


@dataclass(frozen=True, slots=True)
class Origin:
    """Say whose conversation a prompt belongs to, so that no engine serves one person's cached text to another.

    The pool replaces ids by keyed hashes before a worker sees them. Engines may reuse what they hold of an earlier
    prompt only where tenant and person are the same; "" is nobody, whose text is never reused.
    """

    tenant: str = ""
    person: str = ""
    conversation: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Hold a whole conversation and how to answer it.

    The first message may be the system prompt, no other one; the last is the user's. Anything else raises
    ValueError: engines generate from an empty conversation without a complaint.
    """

    messages: tuple[ChatMessage, ...]
    sampling: Sampling = Sampling()
    origin: Origin = Origin()

    def __post_init__(self) -> None:
        """Check the order of roles."""
        if not self.messages or self.messages[-1].role != "user":
            raise ValueError("the last message of a prompt must be the user's")
        if any(message.role == "system" for message in self.messages[1:]):
            raise ValueError("only the first message may be the system prompt")


@dataclass(frozen=True, slots=True)
class Usage:
    """Count tokens by the engine's own tokenizer, and the messages left out so that the rest fits.

    A stop that the engine has not yet confirmed reports what the pool itself has seen: pieces for tokens.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    trimmed_messages: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Measure a turn in milliseconds. `first_token_ms` counts from Started; 0 where no token came."""

    queue_ms: int = 0
    first_token_ms: int = 0
    total_ms: int = 0
    tokens_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Queued:
    """Tell the place in the queue (1 = next) and a guess of the wait."""

    position: int
    eta_ms: int


@dataclass(frozen=True, slots=True)
class Started:
    """Tell that the engine has the turn."""

    waited_ms: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Carry the next text: whole characters, at least one, perhaps several tokens if the reader is slow."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """End a generation. A turn that was stopped while it waited has no Started before it."""

    reason: FinishReason
    usage: Usage
    timings: Timings


Event = Queued | Started | Piece | Finished


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Name the model in use.

    `digest` is the SHA-256 of its file in hex, `context_tokens` what one turn may span.
    """

    name: str
    digest: str
    context_tokens: int
    parameters: str = ""
    is_starter: bool = False
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Say what a worker process shall load. 0 for `threads` or `memory_bytes` lets the worker choose.

    `prefix_cache_bytes` bounds, per tenant, what an engine that can may keep of conversations that lost their slot.
    `niceness` is how far the worker stands back behind other processes: 0 not at all, 19 as far as it goes.
    `architecture` names what a GGML file does not say of itself.
    `scratch_path` is an empty folder in which an engine may make a socket while it loads; who starts the worker
    makes and removes it. `max_prompt_tokens` bounds prompts further than the context does; 0 does not.
    """

    engine: EngineName
    model_path: str
    context_tokens: int
    slots: int
    threads: int
    memory_bytes: int
    scripted_ms: float
    sandbox: Sandbox = "best-effort"
    prefix_cache_bytes: int = 0
    niceness: int = 0
    architecture: str = ""
    scratch_path: str = ""
    max_prompt_tokens: int = 0

    def prompt_budget(self, sampling: Sampling) -> int:
        """Return how many tokens a prompt may have: what the answer leaves of the context, and no more than allowed."""
        left = self.context_tokens - min(sampling.max_new_tokens, self.context_tokens // 2)
        return min(left, self.max_prompt_tokens or left)


@dataclass(frozen=True, slots=True)
class LayerCheck:
    """Report one attempt that the worker made from inside its cage: `holds` where it was refused.

    `layer` names the kernel's means (network namespace, Landlock, seccomp, …), `attempt` what was tried. Both are keys
    of fixed lists; `detail` is safe to show.
    """

    layer: str
    attempt: str
    holds: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ThreadTrial:
    """Report how fast the engine decodes with so many threads, in tokens per second.

    `quiet` is with the machine to itself, `busy` beside a process that keeps one core busy.
    """

    threads: int
    quiet: float
    busy: float


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """Tell what a worker has become once its model is loaded: engine and its library, threads and why, and its cage."""

    engine: EngineName
    backend: str = ""
    threads: int = 0
    trials: tuple[ThreadTrial, ...] = ()
    cage: tuple[LayerCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Report from an engine how a generation ended; `cancelled` because the sink asked for it."""

    reason: Literal["complete", "length", "cancelled"]
    usage: Usage
    tokens_per_second: float = 0.0


class Sink(Protocol):
    """Receive what an engine makes of one prompt. Called from the thread that runs the generation."""

    def progress(self, *, processed: int, total: int) -> None:
        """Note that `processed` of `total` prompt tokens are done: a sign of life before the first word."""

    def text(self, piece: str) -> None:
        """Take the next whole characters."""

    def wait_cancelled(self, seconds: float) -> bool:
        """Say whether the generation shall end, after at most that many seconds (0: at once)."""


class Engine(Protocol):
    """Run prompts in a worker process.

    Up to `slots` calls of `generate` run at the same time, each in its thread.
    """

    def generate(self, prompt: Prompt, sink: Sink) -> Outcome:
        """Answer the prompt, piece by piece into the sink, until its end or until the sink says cancelled.

        Raise OverlongPrompt if the newest message alone leaves no room for an answer, EngineError if the
        engine refuses.
        """

    def count_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens the prompt has in this model's own tokenizer, chat template included."""

    def forget(self, origin: Origin) -> None:
        """Drop whatever is kept of that origin's text; an empty field stands for all."""

    def report(self) -> WorkerReport:
        """Tell what was loaded and how; the worker adds its cage."""


class EngineError(Exception):
    """Say that an engine refused or failed.

    `code` is a word from a fixed list, never anything a person wrote.
    """

    code = "engine_error"


class OverlongPrompt(EngineError):
    """Say that a prompt does not fit, even without its history."""

    code = "too_long"


class Unsupported(EngineError):
    """Say that a prompt asks for what this engine cannot do, such as an answer that fits a JSON schema."""

    code = "unsupported"


class LoadError(EngineError):
    """Say why a model could not be loaded: one of the keys of `LOAD_ERRORS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


LOAD_ERRORS = {
    "engine_missing": _("the engine library is not installed"),
    "model_missing": _("the model file cannot be read"),
    "model_changed": _("the model file or its signature no longer holds; it is not used"),
    "model_invalid": _("the model file cannot be loaded"),
    "out_of_memory": _("the model does not fit into the worker's memory limit"),
    "model_unsupported": _("this engine does not know the model's architecture"),
    "ctransformers_qwen2": _(
        "ctransformers is of 2023 and does not know the architecture qwen2; "
        "PORTAL_ENGINE=llamacpp runs this model"
    ),
    "ctransformers_unsupported": _(
        "ctransformers runs GGML files and the llama and falcon GGUF files of 2023, "
        "not this one; PORTAL_ENGINE=llamacpp runs newer ones"
    ),
    "cage_incomplete": _(
        "the kernel does not give every layer of the sandbox that PORTAL_SANDBOX=strict demands"
    ),
}
