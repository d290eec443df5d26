"""List the models that the portal can fetch by itself, each with the digest that decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A published model file: its digest, size in bytes, licence and addresses, the first that answers is used."""

    key: str
    name: str
    sha256: str
    size_bytes: int
    licence: str
    urls: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """Return the name under which the file was published."""
        return f"{self.key}.gguf"


def _qwen(quantisation: str, sha256: str, size_bytes: int) -> KnownModel:
    file = f"qwen2.5-0.5b-instruct-{quantisation}.gguf"
    repository = "Qwen/Qwen2.5-0.5B-Instruct-GGUF"
    return KnownModel(
        key=f"qwen2.5-0.5b-instruct-{quantisation}",
        name="Qwen2.5-0.5B-Instruct",
        sha256=sha256,
        size_bytes=size_bytes,
        licence="Apache-2.0",
        urls=(
            f"https://huggingface.co/{repository}/resolve/main/{file}",
            f"https://modelscope.cn/models/{repository}/resolve/master/{file}",
        ),
    )


KNOWN_MODELS = {
    model.key: model
    for model in (
        _qwen("q4_k_m", "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db", 491_400_032),
        _qwen("q5_k_m", "041474553fcabfc2a2d67903f9d2c2e50bd92528e670da4f33b5d0ce6e59fd55", 522_186_592),
        _qwen("q8_0", "ca59ca7f13d0e15a8cfa77bd17e65d24f6844b554a7b6c12e07a5f89ff76844e", 675_710_816),
    )
}
DEFAULT_QWEN = "qwen2.5-0.5b-instruct-q4_k_m"

STARTER = KnownModel(
    key="starter",
    name="SmolLM2-135M-Instruct",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size_bytes=98_362_432,
    licence="Apache-2.0",
    urls=(),
)
