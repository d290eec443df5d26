"""Gather what others may do with rule sets: pages, commands, the chat."""

from policy.drafts import (
    check_rules,
    discard_draft,
    draft_of,
    open_draft,
    open_rollback,
    remove_rule,
    save_rule,
)
from policy.layers import LayerRule, RuleChange
from policy.lifecycle import (
    approve,
    deciders,
    note_dry_run,
    publish,
    reject,
    reopen,
    rollback,
    submission_of,
    submit,
)
from policy.statistics import RuleFigures, rule_statistics
from policy.trying import DryRun, dry_run, finish_dry_run, prepare_dry_run
from policy.versions import current_version, diff, layer_of, name_of, rules_in, versions

__all__ = [
    "DryRun",
    "LayerRule",
    "RuleChange",
    "RuleFigures",
    "approve",
    "check_rules",
    "current_version",
    "deciders",
    "diff",
    "discard_draft",
    "draft_of",
    "dry_run",
    "finish_dry_run",
    "layer_of",
    "name_of",
    "note_dry_run",
    "open_draft",
    "open_rollback",
    "prepare_dry_run",
    "publish",
    "reject",
    "remove_rule",
    "reopen",
    "rollback",
    "rule_statistics",
    "rules_in",
    "save_rule",
    "submission_of",
    "submit",
    "versions",
]
