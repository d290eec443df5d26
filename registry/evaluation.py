"""Evaluate one artefact from beginning to end: load, speed, memory, then the banks, item by item.

Every verdict is stored as it comes, every figure as soon as it is known: whatever ends an evaluation leaves what was
done, and the next one with the same plan goes on from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import F

from inference.admission import AdmissionLimits
from inference.config import PoolConfig
from inference.engine import LOAD_ERRORS
from inference.errors import EngineFailed, EngineUnavailable, PromptTooLong
from inference.memory import machine_bytes
from registry.banks import BANKS, CORPORA, Bank, Corpus, Item, read_corpus
from registry.errors import ModelError
from registry.evaluations import EvaluationResult, ItemVerdict, ModelEvaluation
from registry.figures import BY_KEY, RATES, rate
from registry.judging import Verdict, judge
from registry.measuring import Answer, CagedModel, Stopped
from registry.models import ModelArtifact
from registry.running import pool_config
from registry.verifying import load_fault, look_at, note_finding

MIB = 1 << 20
HASH_DIGITS = 12
# How often each speed is measured.
SAMPLES, QUICK_SAMPLES = 3, 1
MAX_ERROR_CHARS = 200
# As far back as the kernel lets a process stand.
NICENESS = 19
# Seconds. A worker that stands back behind a busy portal is slow, and that is right.
HANG_S, WALL_S = 180, 900
_NO_LIMITS = AdmissionLimits(rate_per_minute=1_000_000, queue_timeout_s=WALL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what to evaluate: which banks, whole or by a quick look, from which folder of corpora."""

    banks: tuple[Bank, ...] = BANKS
    is_quick: bool = False
    folder: Path = CORPORA

    @property
    def is_full(self) -> bool:
        """Return whether this makes an artefact "evaluated"."""
        return set(self.banks) == set(BANKS) and not self.is_quick

    def corpora(self) -> tuple[Corpus, ...]:
        """Read the corpora. Raises ModelError."""
        whole = [read_corpus(bank, folder=self.folder) for bank in self.banks]
        return tuple(corpus.quick() if self.is_quick else corpus for corpus in whole)


class Observer(Protocol):
    """Watch an evaluation."""

    def step(self, *, phase: str, done: int, total: int) -> None:
        """Note what goes on, and how many of all items are judged."""

    def verdict(self, item: Item, answer: str, verdict: Verdict) -> None:
        """Note an answer and what its judge said. It is nowhere else to be had."""


def caged(artifact: ModelArtifact) -> PoolConfig:
    """Return how an artefact runs when it is evaluated: as in service, but standing back, and without limits of people.

    Raises ModelError where the settings name no engine that runs models.
    """
    if settings.PORTAL.engine == "scripted":
        raise ModelError("the scripted engine runs no model that could be evaluated")
    return replace(
        pool_config(artifact),
        verify=partial(load_fault, artifact),
        wall_time_s=WALL_S,
        hang_s=HANG_S,
        niceness=NICENESS,
        standby="off",
        recycle_hour=None,
        recycle_turns=0,
        limits=_NO_LIMITS,
    )


def memory_threshold_mib() -> float | None:
    """Return half of the machine: when models are changed or a worker is recycled, two are loaded for a while."""
    machine = machine_bytes()
    return None if machine is None else machine // 2 / MIB


class Run:
    """Carry out one evaluation. `stored` is its row; nothing of it is kept here that is not there too."""

    def __init__(
        self,
        stored: ModelEvaluation,
        corpora: tuple[Corpus, ...],
        *,
        observer: Observer,
        should_stop: Callable[[], bool],
    ) -> None:
        self.stored = stored
        self._corpora = corpora
        self._observer = observer
        self._should_stop = should_stop

    def carry_out(self, config: PoolConfig) -> None:
        """Load the model, measure it, ask everything that is still open.

        Raises Stopped, EngineUnavailable when it does not load or is lost for good, and database errors.
        """
        self._enter("load")
        with CagedModel(config, should_stop=self._should_stop) as model:
            try:
                self._load(model)
                self._measure(model)
            except EngineUnavailable:
                self.stored.error = model.last_error[:MAX_ERROR_CHARS] or "there is no engine"
                if self.stored.error == LOAD_ERRORS["model_changed"]:
                    note_finding(self.stored.artifact, look_at(self.stored.artifact))
                raise
        self._enter("")

    def _load(self, model: CagedModel) -> None:
        try:
            model.load()
        except EngineUnavailable:
            self._store("loads", 0)
            raise
        self._note_worker(model)
        self._store("loads", 1)
        self._store("load_s", model.load_s)

    def _measure(self, model: CagedModel) -> None:
        self._enter("speed")
        samples = QUICK_SAMPLES if self.stored.is_quick else SAMPLES
        self._store("decode_tps", model.decode_speed(samples=samples), count=samples)
        self._store("prompt_tps", model.prompt_speed(samples=samples), count=samples)
        for corpus in self._corpora:
            self._enter(corpus.name)
            self._ask_all(corpus, model)
            self._store_rates(corpus)
            self._store_summary(model)

    def _note_worker(self, model: CagedModel) -> None:
        """Store what the worker has become; verdicts that another library gave do not count for this one."""
        report, row = model.report, self.stored
        library = report.backend if report else ""
        if row.library and row.library != library:
            row.verdicts.all().delete()
            row.results.all().delete()
            row.done = 0
        row.library, row.threads = library, report.threads if report else 0
        row.save(update_fields=["library", "threads", "done"])

    def _enter(self, phase: str) -> None:
        self.stored.phase = phase
        self.stored.save(update_fields=["phase"])
        self._tell()

    def _tell(self) -> None:
        row = self.stored
        self._observer.step(phase=row.phase, done=row.done, total=row.total)

    def _ask_all(self, corpus: Corpus, model: CagedModel) -> None:
        known = set(self.stored.verdicts.filter(bank=corpus.name).values_list("item", flat=True))
        for item in corpus.items:
            if item.id in known:
                continue
            if self._is_stop_requested():
                raise Stopped
            answer, verdict = _ask(item, corpus, model)
            self._keep(corpus, item, answer, verdict)
            self._observer.verdict(item, answer.text, verdict)
            self._tell()

    def _is_stop_requested(self) -> bool:
        """Look whether somebody, perhaps in another process, wants it to stop."""
        row = ModelEvaluation.objects.filter(pk=self.stored.pk)
        return self._should_stop() or bool(row.values_list("stop_requested", flat=True).get())

    @transaction.atomic
    def _keep(self, corpus: Corpus, item: Item, answer: Answer, verdict: Verdict) -> None:
        ItemVerdict.objects.create(
            evaluation=self.stored,
            bank=corpus.name,
            item=item.id,
            language=item.language,
            passed=verdict.passed,
            reason=verdict.reason,
            answer_hash=hashlib.sha256(answer.text.encode("utf-8", "replace")).hexdigest()[:HASH_DIGITS],
            tokens=answer.completion_tokens,
            first_token_ms=answer.first_token_ms,
        )
        ModelEvaluation.objects.filter(pk=self.stored.pk).update(done=F("done") + 1)
        self.stored.done += 1

    def _store_rates(self, corpus: Corpus) -> None:
        verdicts = self.stored.verdicts.filter(bank=corpus.name)
        for suffix, rows in (
            ("", verdicts),
            ("_zh", verdicts.filter(language="zh")),
            ("_en", verdicts.filter(language="en")),
        ):
            if count := rows.count():
                value = rate(corpus.name, passed=rows.filter(passed=True).count(), count=count)
                self._store(RATES[corpus.name] + suffix, value, count=count, corpus=corpus)

    def _store_summary(self, model: CagedModel) -> None:
        """Store what sums up the whole run so far: first words and memory."""
        times = sorted(
            self.stored.verdicts.filter(first_token_ms__gt=0).values_list("first_token_ms", flat=True)
        )
        if times:
            self._store("first_token_p50_ms", times[len(times) // 2], count=len(times))
            self._store("first_token_p95_ms", times[len(times) * 95 // 100], count=len(times))
        if peak := model.memory():
            self._store("peak_memory_mib", peak.resident / MIB, threshold=memory_threshold_mib())
            self._store("address_space_mib", peak.address_space / MIB)

    def _store(
        self,
        key: str,
        value: float,
        *,
        count: int = 1,
        threshold: float | None = None,
        corpus: Corpus | None = None,
    ) -> None:
        figure = BY_KEY[key]
        bound = figure.threshold if threshold is None else threshold
        EvaluationResult.objects.update_or_create(
            evaluation=self.stored,
            figure=key,
            defaults={
                "value": value,
                "unit": figure.unit,
                "count": count,
                "threshold": bound,
                "passed": figure.passes(value, bound),
                "corpus": corpus.name if corpus else "",
                "corpus_sha256": corpus.sha256 if corpus else "",
            },
        )


def _ask(item: Item, corpus: Corpus, model: CagedModel) -> tuple[Answer, Verdict]:
    """Ask one item. An engine that breaks over it has failed it; the pool brings another worker for the next."""
    system = corpus.systems[item.language]
    try:
        answer = model.ask(item.text, system=system, max_new_tokens=corpus.max_new_tokens)
    except (EngineFailed, PromptTooLong):
        return Answer("", 0, 0, 0, 0), Verdict(passed=False, reason="engine_failed")
    return answer, judge(item, answer.text, secret=corpus.secret)
