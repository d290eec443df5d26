"""Say how an artefact runs: what the settings mean for it, in service and in an evaluation alike."""

from __future__ import annotations

from django.conf import settings

from inference.config import SCRIPTED_MODEL, PoolConfig
from inference.engine import ModelInfo
from inference.engines.choice import choose_engine
from registry.models import ModelArtifact


def pool_config(artifact: ModelArtifact | None) -> PoolConfig:
    """Return how the pool of an artefact is made; None stands for the scripted engine, which has no file."""
    portal = settings.PORTAL
    engine = choose_engine(portal.engine, file_format=artifact.format) if artifact else "scripted"
    return PoolConfig(
        model_path=artifact.path if artifact else None,
        model=model_info(artifact) if artifact else SCRIPTED_MODEL,
        engine=engine,
        slots=1 if engine == "ctransformers" else portal.slots,
        threads=portal.threads,
        prefix_cache_bytes=portal.prefix_cache_mib << 20,
        memory_bytes=portal.worker_memory_mib << 20,
        max_prompt_tokens=portal.max_prompt_tokens,
        max_new_tokens=portal.max_new_tokens,
        wall_time_s=portal.wall_time_s,
        hang_s=portal.hang_s,
        standby=portal.standby,
        recycle_hour=None if portal.recycle_hour < 0 else portal.recycle_hour,
        recycle_turns=portal.recycle_turns,
        soft_bytes=portal.worker_soft_mib << 20,
        scripted_ms=portal.scripted_ms,
        sandbox=portal.sandbox,
    )


def model_info(artifact: ModelArtifact) -> ModelInfo:
    """Return what people and engines are told of an artefact."""
    return ModelInfo(
        name=artifact.name,
        digest=artifact.sha256,
        context_tokens=min(artifact.context_tokens, settings.PORTAL.context_tokens),
        parameters=artifact.quantisation,
        is_starter=artifact.is_starter,
        architecture=artifact.architecture,
    )
