"""Keywords are found as they are written and pulled apart, and words that only contain them are left alone."""

from __future__ import annotations

import pytest

from policy.keywords import KeywordIndex, read_keyword
from policy.normalise import normalise

WORDS = ["机密", "机密文件", "secret", "risk-free return", "C++", "绝密★", "64", "secret plan"]
INDEX = KeywordIndex(read_keyword(word, owner=number) for number, word in enumerate(WORDS))


def found(text: str) -> set[str]:
    return {WORDS[hit.keyword.owner] for hit in INDEX.find(normalise(text))}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("这是机密。", {"机密"}),
        ("機密", {"机密"}),
        ("机 密", {"机密"}),
        ("机*密", {"机密"}),
        ("机🙂密", {"机密"}),
        ("机\u200b\u200d密", {"机密"}),
        ("机-密-文-件", {"机密", "机密文件"}),
        ("机，密，文，件", {"机密文件"}),
        ("机密文件", {"机密", "机密文件"}),
        ("a SECRET!", {"secret"}),
        ("s e c r e t", {"secret"}),
        ("s.e.c.r.e.t", {"secret"}),
        ("se*cret", {"secret"}),
        ("ｓｅｃｒｅｔ", {"secret"}),
        ("ѕесrеt", {"secret"}),
        ("sécrèt", {"secret"}),
        ("𝓼𝓮𝓬𝓻𝓮𝓽", {"secret"}),
        ("risk free return", {"risk-free return"}),
        ("riskfree-return", {"risk-free return"}),
        ("learn C++ now", {"C++"}),
        ("绝密★启用前", {"绝密★"}),
        ("4 or 64", {"64"}),
        ("my secret\nplan", {"secret", "secret plan"}),
    ],
)
def test_a_word_is_found_however_it_is_dressed(text: str, words: set[str]) -> None:
    assert found(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "他有机。密度很大",
        "司机，密码",
        "机    密",
        "secrets",
        "secretary",
        "his ecret",
        "this sec ret",
        "bless e cret",
        "1964 and 640",
        "6-4 and 6 4",
        "绝密",
        "C+",
        "",
    ],
)
def test_what_only_contains_its_letters_is_left_alone(text: str) -> None:
    assert found(text) == set()


@pytest.mark.parametrize("word", ["", " ", "\u200b", "\ufe0f\u00ad"])
def test_a_word_of_which_nothing_can_be_seen_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="nothing of it can be seen"):
        read_keyword(word, owner=0)


def test_a_match_knows_its_place_in_the_original() -> None:
    text = "x㎏\u200b 機\u200b*密。"
    seen = normalise(text)
    spans = [seen.span(hit.start, hit.end) for hit in INDEX.find(seen)]
    assert [text[start:end] for start, end in spans] == ["機\u200b*密"]
