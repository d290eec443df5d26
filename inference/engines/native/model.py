"""Hold a model's weights and its vocabulary: text to tokens, and tokens to bytes."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from inference.engine import LoadError
from inference.engines.native.bindings import Library, LogEar

# Longer than any token of a real vocabulary; a longer one is read a second time.
_PIECE_BYTES = 256
# Whether the library may add the tokens that begin and end a text: that is the template's part.
_NO = False
_TEMPLATE_KEY = b"tokenizer.chat_template"


class Model:
    """Hold one loaded model. Raise LoadError with the reason if it cannot be loaded.

    All methods may be called from any thread.
    """

    def __init__(self, library: Library, path: Path) -> None:
        self._library = library
        ear = LogEar(library)
        # Kept, because the library calls it for as long as the process lives.
        self._ear = ear
        library.llama_backend_init()
        parameters = library.llama_model_default_params()
        parameters.n_gpu_layers = 0
        # Read, not mapped: a file's pages are small ones, and its bytes could change under a running model.
        parameters.use_mmap = False
        self.handle = library.llama_model_load_from_file(str(path).encode(), parameters)
        heard = ear.close()
        if not self.handle:
            raise LoadError(_reason(heard))
        self.vocabulary = library.llama_model_get_vocab(self.handle)
        self.size = int(library.llama_vocab_n_tokens(self.vocabulary))
        self._pieces: dict[int, bytes] = {}
        self._candidates: Any = None

    def tokenize(self, text: str, *, control: bool) -> list[int]:
        """Return the tokens of a text. Control tokens are read as such only where `control` says so."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        while True:
            buffer = (ctypes.c_int32 * size)()
            count = self._library.llama_tokenize(self.vocabulary, data, len(data), buffer, size, _NO, control)
            if count >= 0:
                return list(buffer[:count])
            # Below zero it says how many: a space that a vocabulary lacks becomes three tokens.
            size = -count

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token; none for a control token."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._read_piece(token, special=False)
        return piece

    def _read_piece(self, token: int, *, special: bool) -> bytes:
        for size in (_PIECE_BYTES, 1 << 16):
            buffer = ctypes.create_string_buffer(size)
            count = self._library.llama_token_to_piece(self.vocabulary, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
        return b""

    def is_end(self, token: int) -> bool:
        """Say whether the model ends its answer with that token."""
        return bool(self._library.llama_vocab_is_eog(self.vocabulary, token))

    @property
    def opening(self) -> list[int]:
        """Return the token that every text begins with, or none."""
        wanted = self._library.llama_vocab_get_add_bos(self.vocabulary)
        return [int(self._library.llama_vocab_bos(self.vocabulary))] if wanted else []

    def control_texts(self) -> tuple[str, str]:
        """Return how the tokens that begin and end a text are written; "" for one that the model has not."""
        ends = (self._library.llama_vocab_bos, self._library.llama_vocab_eos)
        first, last = (int(end(self.vocabulary)) for end in ends)
        return self._written(first), self._written(last)

    def _written(self, token: int) -> str:
        return self._read_piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""

    def candidates(self) -> Any:
        """Return every token with the score 0: to be copied, not changed."""
        if self._candidates is None:
            kind = self._library.llama_token_data * self.size
            self._candidates = kind(*((token, 0.0, 0.0) for token in range(self.size)))
        return self._candidates

    def template(self) -> str:
        """Return the chat template from the model's file, "" if it has none."""
        buffer = ctypes.create_string_buffer(1 << 20)
        count = self._library.llama_model_meta_val_str(self.handle, _TEMPLATE_KEY, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if count > 0 else ""


def _reason(heard: bytes) -> str:
    """Return the key of LOAD_ERRORS that fits what the library logged."""
    if b"unknown model architecture" in heard or b"unknown pre-tokenizer" in heard:
        return "model_unsupported"
    if b"unable to allocate" in heard or b"failed to allocate" in heard or b"bad_alloc" in heard:
        return "out_of_memory"
    return "model_invalid"
