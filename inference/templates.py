"""Look at a model's chat template before anything renders it: what reaches outside the conversation is refused.

A chat template is a program in Jinja that comes with the weights. Only what templates of published chat models need is
allowed; everything else is refused, whatever it is: the list says what may be there, never what may not. A template
that adds fixed text of its own to every conversation is not refused, but the person who approves it must know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import LoopControlExtension

MAX_TEMPLATE_CHARS = 64_000
MAX_NODES = 20_000
MAX_LOOP_DEPTH = 3
MAX_RANGE = 1000
MAX_WARNINGS, EXCERPT_CHARS = 5, 200

_PLAIN = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Const, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Slice, nodes.Concat, nodes.Add, nodes.Sub, nodes.Neg, nodes.Pos,
    nodes.CondExpr, nodes.List, nodes.Dict, nodes.Pair, nodes.Tuple, nodes.NSRef, nodes.Keyword, nodes.Break,
    nodes.Continue,
)  # fmt: skip
_CHECKED = (
    nodes.For, nodes.Assign, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Call, nodes.Macro,
    nodes.AssignBlock, nodes.Name, nodes.Mod,
)  # fmt: skip
FILTERS = frozenset(
    {"trim", "tojson", "length", "count", "upper", "lower", "title", "capitalize", "first", "last", "items", "list",
     "join", "string", "default", "safe", "selectattr", "rejectattr", "select", "reject", "map", "replace", "int",
     "dictsort", "reverse", "unique", "e", "escape"}
)  # fmt: skip
TESTS = frozenset(
    {"defined", "undefined", "none", "string", "mapping", "sequence", "iterable", "number", "integer", "boolean",
     "true", "false", "equalto", "eq", "ne", "in", "odd", "even", "==", "!="}
)  # fmt: skip
FUNCTIONS = frozenset({"raise_exception", "namespace", "range", "strftime_now", "dict"})
METHODS = frozenset(
    {"strip", "lstrip", "rstrip", "split", "rsplit", "startswith", "endswith", "upper", "lower", "title", "items",
     "keys", "values", "get", "replace", "find", "rfind", "capitalize", "append"}
)  # fmt: skip
FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

# What published templates say by themselves; the portal's own system prompt takes the place of these.
DEFAULT_PROMPTS = (
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "You are a helpful assistant.",
    "You are a helpful assistant",
)
_MARKERS = re.compile(r"<[|｜/]?[^<>\s]{1,40}[|｜]?>|\[/?[A-Z_]{3,20}\]")
# All but those that lay a template out: no page and no database takes them all.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ROLE = re.compile(r"^(system|user|assistant|tool)\b[:\s]*")
_WORD = re.compile(r"[^\W\d_]{2,}")
_HAN = re.compile(r"[\u3400-\u9fff]")
SUSPICIOUS_WORDS, SUSPICIOUS_HAN = 5, 8


class TemplateRefused(ValueError):
    """The template does what no chat template has to do; the text says what, and quotes nothing from it."""


def scan_template(source: str) -> tuple[str, ...]:
    """Return the fixed texts that a template adds to conversations by itself, at most a few, shortened.

    Raise TemplateRefused for a template that is no template, is too long, or uses anything that is not allowed.
    """
    if len(source) > MAX_TEMPLATE_CHARS:
        raise TemplateRefused("the chat template is too long")
    if _CONTROL.search(source):
        raise TemplateRefused("the chat template has characters that no text has")
    tree = _parse(source)
    _Scan().check(tree)
    texts = (_smuggled(text) for text in _emitted(tree))
    return tuple(text for text in texts if text)[:MAX_WARNINGS]


def _parse(source: str) -> nodes.Template:
    environment = Environment(  # noqa: S701 - nothing is rendered
        trim_blocks=True, lstrip_blocks=True, extensions=[LoopControlExtension]
    )
    try:
        return environment.parse(source)
    except (TemplateSyntaxError, RecursionError, OverflowError, ValueError):
        raise TemplateRefused("the chat template cannot be parsed") from None


class _Scan:
    """Walk a template once and refuse the first thing that is not allowed."""

    def __init__(self) -> None:
        self._nodes = 0
        self._macros: set[str] = set()
        self._texts: set[str] = set()

    def check(self, tree: nodes.Template) -> None:
        try:
            self._texts = set(_names_of_texts(tree))
            self._check(tree, loops=0)
        except RecursionError:
            raise TemplateRefused("the chat template is nested too deeply") from None

    def _check(self, node: nodes.Node, *, loops: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise TemplateRefused("the chat template is too long")
        if isinstance(node, nodes.For):
            loops += 1
            self._loop(node, loops)
        elif isinstance(node, _CHECKED):
            getattr(self, f"_{type(node).__name__.lower()}")(node)
        elif not isinstance(node, _PLAIN):
            raise TemplateRefused("the chat template uses what no chat template needs")
        for child in node.iter_child_nodes():
            self._check(child, loops=loops)
        if isinstance(node, nodes.Macro):
            self._macros.add(node.name)

    def _loop(self, node: nodes.For, loops: int) -> None:
        if node.recursive or loops > MAX_LOOP_DEPTH:
            raise TemplateRefused("the chat template has loops without bounds")

    def _macro(self, node: nodes.Macro) -> None:
        """Let a macro call only those that stand before it: recursion has no bounds."""
        if not FIELD.fullmatch(node.name) or node.name in FUNCTIONS:
            raise TemplateRefused("the chat template has a macro with a forbidden name")

    def _assignblock(self, node: nodes.AssignBlock) -> None:
        if node.filter is not None and node.filter.name not in FILTERS:
            raise TemplateRefused("the chat template uses a filter that is not allowed")

    def _assign(self, node: nodes.Assign) -> None:
        """Refuse a text that is added to itself: in a loop it doubles each time."""
        target = _name_of(node.target)
        used = [_name_of(child) for child in _within(node.node)].count(target)
        replaces = any(_replaces(child) for child in _within(node.node))
        if target and (used > 1 or (used and replaces)):
            raise TemplateRefused("the chat template lets a text grow without bounds")

    def _name(self, node: nodes.Name) -> None:
        if not FIELD.fullmatch(node.name):
            raise TemplateRefused("the chat template uses a name that is not allowed")

    def _mod(self, node: nodes.Mod) -> None:
        """Allow the remainder of a number; with a text on its left, `%` builds texts of any length."""
        if not (isinstance(node.right, nodes.Const) and type(node.right.value) is int) or _has_text(node):
            raise TemplateRefused("the chat template formats a text")

    def _getattr(self, node: nodes.Getattr) -> None:
        if not FIELD.fullmatch(node.attr) or node.attr in {"format", "format_map", "mro"}:
            raise TemplateRefused("the chat template reaches for an attribute that is not allowed")

    def _getitem(self, node: nodes.Getitem) -> None:
        """Refuse names that are put together at run time: only then could one escape `_getattr`."""
        key = node.arg
        if isinstance(key, nodes.Const) and isinstance(key.value, str) and not FIELD.fullmatch(key.value):
            raise TemplateRefused("the chat template reaches for an item that is not allowed")
        made = isinstance(key, nodes.Concat | nodes.Filter | nodes.Call | nodes.CondExpr)
        if made or _has_text(key) or (isinstance(key, nodes.Name) and key.name in self._texts):
            raise TemplateRefused("the chat template puts the name of an item together")

    def _filter(self, node: nodes.Filter) -> None:
        if node.name not in FILTERS:
            raise TemplateRefused("the chat template uses a filter that is not allowed")
        if node.name in {"map", "selectattr", "rejectattr", "select", "reject"}:
            self._check_names(node)

    def _check_names(self, node: nodes.Filter) -> None:
        """Refuse attributes and filters that these filters are given as texts."""
        given = [*node.args, *(pair.value for pair in node.kwargs)]
        for value in given:
            text = value.value if isinstance(value, nodes.Const) else None
            if isinstance(text, str) and not (FIELD.fullmatch(text) or text in TESTS):
                raise TemplateRefused("the chat template reaches for an attribute that is not allowed")
            if not isinstance(value, nodes.Const) and not isinstance(value, nodes.Name | nodes.List):
                raise TemplateRefused("the chat template puts the name of an attribute together")
        named = given[0].value if given and isinstance(given[0], nodes.Const) else ""
        if node.name == "map" and not node.kwargs and named not in FILTERS:
            raise TemplateRefused("the chat template uses a filter that is not allowed")

    def _test(self, node: nodes.Test) -> None:
        if node.name not in TESTS:
            raise TemplateRefused("the chat template uses a test that is not allowed")

    def _call(self, node: nodes.Call) -> None:
        called = node.node
        known = isinstance(called, nodes.Name) and called.name in FUNCTIONS | self._macros
        method = isinstance(called, nodes.Getattr) and called.attr in METHODS
        if not (known or method) or node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateRefused("the chat template calls what is not allowed")
        if isinstance(called, nodes.Name) and called.name == "range":
            self._range(node)

    def _range(self, node: nodes.Call) -> None:
        for argument in node.args:
            value = argument.value if isinstance(argument, nodes.Const) else 0
            bounded = isinstance(argument, nodes.Const) or _is_length(argument)
            if not bounded or not isinstance(value, int) or abs(value) > MAX_RANGE:
                raise TemplateRefused("the chat template has loops without bounds")


def _is_length(node: nodes.Node) -> bool:
    """Return whether this is the length of something, maybe plus or minus a number: as bounded as the messages are."""
    if isinstance(node, nodes.Add | nodes.Sub):
        return (_is_length(node.left) or isinstance(node.left, nodes.Const)) and (
            _is_length(node.right) or isinstance(node.right, nodes.Const)
        )
    return isinstance(node, nodes.Filter) and node.name in {"length", "count"}


def _has_text(node: nodes.Node) -> bool:
    """Return whether an expression joins texts, as far as can be seen."""
    if not isinstance(node, nodes.Add | nodes.Mod):
        return False
    return any(isinstance(const.value, str) for const in node.find_all(nodes.Const))


def _within(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    yield from node.find_all(nodes.Node)


def _replaces(node: nodes.Node) -> bool:
    """Return whether this can make a text longer than its parts."""
    if isinstance(node, nodes.Call):
        return isinstance(node.node, nodes.Getattr) and node.node.attr == "replace"
    return isinstance(node, nodes.Filter) and node.name in {"replace", "join", "tojson"}


def _names_of_texts(tree: nodes.Template) -> Iterator[str]:
    """Give the names that stand for texts which the template makes by itself."""
    for node in tree.find_all((nodes.Assign, nodes.For, nodes.AssignBlock)):
        if not isinstance(node, nodes.Assign | nodes.For | nodes.AssignBlock):
            continue
        source = node.iter if isinstance(node, nodes.For) else getattr(node, "node", node)
        if any(
            isinstance(part, nodes.Const) and isinstance(part.value, str) for part in _within(source)
        ) or any(isinstance(part, nodes.Concat | nodes.AssignBlock) for part in _within(source)):
            yield from (_name_of(name) for name in _within(node.target) if _name_of(name))


def _name_of(node: nodes.Node) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.NSRef):
        return f"{node.name}.{node.attr}"
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return f"{node.node.name}.{node.attr}"
    return ""


def _emitted(node: nodes.Node) -> Iterator[str]:
    """Give the fixed texts that may come out, without those that only tools bring out: the portal offers none."""
    if isinstance(node, nodes.If):
        if not _needs_tools(node.test):
            yield from _all(node.body)
        yield from _all([*node.elif_, *node.else_])
    elif isinstance(node, nodes.TemplateData):
        yield node.data
    elif isinstance(node, nodes.Const):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, nodes.Call) and getattr(node.node, "name", "") == "raise_exception":
        return
    else:
        yield from _all(list(node.iter_child_nodes()))


def _all(children: list[nodes.Node]) -> Iterator[str]:
    for child in children:
        yield from _emitted(child)


def _needs_tools(test: nodes.Node) -> bool:
    if isinstance(test, nodes.And):
        return _needs_tools(test.left) or _needs_tools(test.right)
    return isinstance(test, nodes.Name) and test.name in {"tools", "custom_tools", "tool_calls"}


def _smuggled(text: str) -> str:
    """Return what is left of a text without markers and default prompts, if it is long enough to instruct a model."""
    rest = text
    for prompt in DEFAULT_PROMPTS:
        rest = rest.replace(prompt, " ")
    rest = _ROLE.sub("", " ".join(_MARKERS.sub(" ", rest).split()))
    long = len(_WORD.findall(rest)) >= SUSPICIOUS_WORDS or len(_HAN.findall(rest)) >= SUSPICIOUS_HAN
    return "".join(filter(str.isprintable, rest))[:EXCERPT_CHARS] if long else ""
