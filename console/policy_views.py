"""Show the rules, try texts against them, and write the draft: parse, hand to the rule sets, respond."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.roles import POLICY_EDIT, POLICY_VIEW
from common.access import require_permission
from common.errors import BadRequest, NotFound
from console.policy_editor import BaseChangeForm, Editor, RuleForm
from console.policy_forms import BenchForm, FindForm, WordsForm
from console.policy_keywords import page_of, with_words, without_words
from console.policy_pages import Asked, Bench, editor_of, new_editor, policy_page, try_on_bench
from console.policy_set import SetRule, shown_set
from policy import rulesets
from policy.errors import PolicyActRefused, RuleChanged


@require_safe
@require_permission(POLICY_VIEW)
def rules(request: HttpRequest, code: str = "") -> HttpResponse:
    """Show the rules, and one of them."""
    return _page(request, code)


@require_safe
@require_permission(POLICY_EDIT)
def new_rule(request: HttpRequest) -> HttpResponse:
    """Show the form of a rule that does not exist yet."""
    kind = request.GET.get("kind", "")
    return _page(request, editor=new_editor(kind if kind in ("keywords", "pattern") else "keywords"))


@sensitive_post_parameters("text")
@require_POST
@require_permission(POLICY_VIEW)
def bench(request: HttpRequest) -> HttpResponse:
    """Try a text against the rules: as a whole page, or as the parts that a script puts into it.

    The text comes in the body and goes back in the answer; nothing keeps it in between.
    """
    form = BenchForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    typed = form.cleaned_data
    tried = try_on_bench(typed["text"], stage=typed["stage"], source=typed["source"])
    if typed["part"]:
        return _unkept(render(request, "console/policy/verdict.html", {"bench": tried}))
    return _unkept(_page(request, typed["rule"], tried=tried))


@require_POST
@require_permission(POLICY_EDIT)
def save(request: HttpRequest) -> HttpResponse:
    """Write a rule into the draft; what is wrong with it is said at its field, and nothing typed is lost."""
    code = request.POST.get("code", "")
    known = shown_set().rule(code)
    is_new = "new" in request.POST
    editor = new_editor("", request.POST) if is_new or known is None else editor_of(known, request.POST)
    if is_new and known is not None:
        editor.form.add_error("code", gettext("There is a rule with this code already."))
    if not editor.form.is_valid():
        return _page(request, editor=editor, status=400)
    try:
        _write(request, editor, known)
    except PolicyActRefused as error:
        return _page(request, editor=_refused(editor, error, code), status=error.http_status)
    messages.success(request, gettext("Saved in the draft. It acts once it is published."))
    return redirect("console:policy_rule", code)


@require_POST
@require_permission(POLICY_EDIT)
def remove(request: HttpRequest, code: str) -> HttpResponse:
    """Take a rule of the organisation's own out of the draft; of a base rule, what was changed about it."""
    if shown_set().rule(code) is None:
        raise NotFound
    try:
        rulesets.remove_rule(rulesets.draft_of(_account(request)), code, by=_account(request))
    except PolicyActRefused as error:
        messages.error(request, gettext(str(error)))
        return redirect("console:policy_rule", code)
    messages.success(request, gettext("Taken out of the draft. It acts until the draft is published."))
    return redirect("console:policy")


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(POLICY_EDIT)
def words(request: HttpRequest, code: str) -> HttpResponse:
    """Show the words of a list page by page; look some up, add some, take some out.

    What is looked up comes in the body, as what is added: an address is written to logs.
    """
    rule, form = _list_of(code), WordsForm(request.POST or None)
    if request.method == "POST" and not form.is_valid():
        raise BadRequest
    typed = form.cleaned_data if form.is_bound else {}
    if typed.get("act") in ("add", "remove"):
        return _edit_words(request, rule, typed)
    page = page_of(rule.words, number=typed.get("page") or 1, wanted=typed.get("wanted", ""))
    context = {"rule": rule, "page": page, "may_edit": shown_set().is_editable}
    return _unkept(render(request, "console/policy/words.html", context))


def _edit_words(request: HttpRequest, rule: SetRule, typed: dict[str, Any]) -> HttpResponse:
    if typed["act"] == "add":
        edited = with_words(rule.words, typed["add"])
        kept, said = (
            edited.words,
            gettext("%(added)d added, %(known)d were there already.")
            % {
                "added": edited.added,
                "known": edited.known,
            },
        )
        for fault in edited.refused[:5]:
            messages.error(request, fault)
    else:
        kept = without_words(rule.words, request.POST.getlist("word"))
        said = gettext("%(count)d taken out.") % {"count": len(rule.words) - len(kept)}
    if kept != rule.words:
        try:
            _put_words(request, rule, kept)
        except PolicyActRefused as error:
            messages.error(request, gettext(str(error)))
            return redirect("console:policy_words", rule.code)
    messages.success(request, said)
    return redirect("console:policy_words", rule.code)


def _put_words(request: HttpRequest, rule: SetRule, kept: tuple[str, ...]) -> None:
    draft, by = rulesets.draft_of(_account(request)), _account(request)
    entry = next(entry for entry in rulesets.layer_of(draft) if entry.code == rule.code)
    rulesets.save_rule(draft, entry.row | {"keywords": list(kept)}, by=by, seen=rule.stamp)


def _write(request: HttpRequest, editor: Editor, known: SetRule | None) -> None:
    """Write what the form says. Raises PolicyActRefused."""
    by, form = _account(request), cast(BaseChangeForm | RuleForm, editor.form)
    draft, row = rulesets.draft_of(by), form.row()
    if row is not None:
        rulesets.save_rule(draft, row, by=by, seen=form.cleaned_data["seen"])
    elif known is not None and known.stamp:
        rulesets.remove_rule(draft, known.code, by=by)


def _refused(editor: Editor, error: PolicyActRefused, code: str) -> Editor:
    """Return the editor as it was typed, with why it was not taken; beside what somebody else wrote, if that is why."""
    now = shown_set().rule(code)
    return Editor(
        form=editor.form,
        rule=now,
        is_new=now is None,
        word_count=editor.word_count,
        error=gettext(str(error)),
        conflict=now if isinstance(error, RuleChanged) else None,
    )


def _list_of(code: str) -> SetRule:
    """Return a list of the organisation's own. Raises NotFound."""
    rule = shown_set().rule(code)
    if rule is None or rule.is_base or rule.kind != "keywords":
        raise NotFound
    return rule


def _page(
    request: HttpRequest,
    code: str = "",
    *,
    tried: Bench | None = None,
    editor: Editor | None = None,
    status: int = 200,
) -> HttpResponse:
    form = FindForm(request.GET)
    form.is_valid()
    asked = Asked(wanted=form.cleaned_data.get("q", ""), kind=form.cleaned_data.get("kind", ""), code=code)
    page = policy_page(_account(request), asked, bench=tried, editor=editor)
    return render(request, "console/policy/index.html", {"page": page}, status=status)


def _unkept(response: HttpResponse) -> HttpResponse:
    """Return the response as one that no browser and no proxy keeps."""
    response["Cache-Control"] = "no-store"
    return response


def _account(request: HttpRequest) -> User:
    return cast(User, request.user)
