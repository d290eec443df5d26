"""Spelling tricks are seen through, and places are carried back to the original."""

from __future__ import annotations

import pytest

from policy.normalise import normalise


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Plain WORDS", "plain words"),
        ("ＦＵＬＬ　ｗｉｄｔｈ１２", "full width12"),
        ("①⑫", "112"),
        ("𝐌𝒶𝓽𝔥", "math"),
        ("ﬁne ㎏", "fine kg"),
        ("STRASSE straße", "strasse strasse"),
        ("café cafe\u0301", "cafe cafe"),
        ("a\u200bb\u200dc\u2060d\ufeffe\u00adf\u200eg\ufe0fh", "abcdefgh"),
        ("a\U000e0041b", "ab"),
        ("保\u3164本\uffa0保\u2800息", "保本保息"),
        ("a\x00b\x07c\x7fd\re", "abcde"),
        ("line\nnext\tcolumn", "line\nnext\tcolumn"),
        ("half \ud83d a character", "half  a character"),
        ("1\u20e3", "1"),
        ("", ""),
        ("機密資料", "机密资料"),
        ("ѕесrеt", "secret"),
        ("раѕѕwоrd", "password"),
        ("\u0397O\u039cE M\u03a5 ΡΑ\u039dΕΝ \u0389", "home my panen h"),
        ("sᴇᴄʀᴇᴛ ʙᴅꜰɢʜᴊᴋʟᴍɴᴘ", "secret bdfghjklmnp"),
        ("\U0001f182\U0001f174\U0001f172\U0001f161\U0001f154\U0001f163", "secret"),
        ("二〇二六", "二〇二六"),
        ("138–1234—56‑78−9", "138-1234-56-78-9"),
        ("保\u2065本\ufff0保\U000e0080息\U000e0fff", "保本保息"),
        ("\ue000a\ue001b", "ab"),
    ],
)
def test_what_looks_alike_reads_alike(written: str, seen: str) -> None:
    assert normalise(written).data.decode() == seen


@pytest.mark.parametrize(
    "text", ["abc", "ａ\u200bｂ㎏ｃ", "x\u200b\u200b", "\u200bx", "保本★abc", "é\u0301e"]
)
def test_every_letter_knows_the_character_it_came_from(text: str) -> None:
    seen = normalise(text)
    origins = [seen.place(at) for at in range(len(seen.letters))]
    assert origins == sorted(origins)
    for letter, index in zip(seen.letters, origins, strict=True):
        assert letter in normalise(text[index]).letters
    for at, letter in enumerate(seen.letters):
        begin = seen.byte_at(at)
        assert seen.data[begin : begin + len(letter.encode())].decode() == letter
        assert seen.letter_at(begin) == at


def test_bytes_are_counted_back_to_letters_far_into_a_text() -> None:
    seen = normalise("保a" * 2000)
    assert [seen.letter_at(seen.byte_at(at)) for at in (0, 1, 777, 3999)] == [0, 1, 777, 3999]
    assert seen.letter_at(len(seen.data)) == 4000


def test_a_place_is_carried_back_to_the_whole_of_its_characters() -> None:
    seen = normalise("x㎏\u200bｙ", context="w")
    assert seen.letters == "wxkgy"
    assert seen.span(2, 3) == (1, 2)
    assert seen.span(3, 5) == (1, 4)
    assert seen.span(4, 5) == (3, 4)


@pytest.mark.parametrize("text", ["ｅ\u0301Ａ㎏ B", "한국\u1160", "\u200b\u200bß", "é\u0301\u0323x"])
def test_a_text_in_pieces_normalises_to_the_same(text: str) -> None:
    for cut in range(len(text) + 1):
        assert normalise(text[:cut]).data + normalise(text[cut:]).data == normalise(text).data
