"""Make keywords by the thousand, put them into sentences, and hide them as people do."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

import opencc

_SYLLABLES = (
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "ji",
    "ko",
    "lu",
    "me",
    "na",
    "po",
    "ra",
    "se",
    "ti",
    "vo",
    "wa",
    "zu",
)
# Common characters, most with a traditional form; a keyword is three to six of them.
_HAN = (
    "东乐云书买乱产亲亿仅从众优会传体儿党关兴养军农冲决况准凤击创动务劳势区医华单卫历压县参双发变叶号听启"
    "员园国图圆圣场块坚坛坝声处备复夹夺头奖妇学宁宝实宠审宪对寻导寿将尔层岁币师带帮广庄庆库应开异张归录彻"
    "怀态总恶惊愿戏战户扑执扩护报担拟拥择挂挥损换据摄数断无时显晋书权条来杨极构枪柜树样桥检楼标欢残毕气汇"
    "汉沟没泪洁测济浓湿满滤灭灯灵炉点炼热爱爷牵状独狮献玛环现电疗盐监盖盘矿码确礼离种积称稳窃竞笔类紧红约"
    "级纪纯纳线练组细织终经结给络绝统继续维罗罚职联聪肃肠脑脚艺节范药荐获营萨蓝虑虽见观规视览觉触计订认讨"
    "让训议讯记讲许论设访证评识诉词译试诗话该详语误说请诸读课谁调谈谋谢谨谱贝负财责败货质贩购贵费资赏赖赛"
)
_LOOKS = str.maketrans("aceiopxy", "асеіорху")
_ACCENTS = "\u0301\u0308\u0327"


def keywords(count: int, *, seed: int = 5) -> list[str]:
    """Return that many different made-up keywords, half Chinese and half Latin, none of which is a real word list's."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        if len(found) % 2:
            found["".join(rng.choices(_HAN, k=rng.randint(3, 6)))] = None
        else:
            found["".join(rng.choices(_SYLLABLES, k=rng.randint(3, 5)))] = None
    return list(found)


def sentence(word: str, rng: random.Random) -> str:
    """Return a sentence with the word in it."""
    frames = ("昨天有人提到{}，大家都笑了。", "请问{}是什么意思", "They spoke of {} again.", "see {}, please")
    return rng.choice(frames[:2] if not word.isascii() else frames).format(word)


def ordinary_text(characters: int, *, seed: int = 3) -> str:
    """Return text of that many characters such as people write, Chinese and English mixed."""
    rng = random.Random(seed)
    pieces = (
        "本季度的收入比去年同期增长百分之八，主要来自中小企业贷款，详情见附件。",
        "The committee met on Tuesday and approved the budget for the coming year. ",
        "请各部门在月底之前完成自查，并把结果发给办公室，联系人是王老师。",
        "患者三个月来反复胸闷，既往有高血压病史，否认药物过敏。",
        "If the parcel does not arrive by Friday, please call the desk at extension 302. ",
    )
    text = ""
    while len(text) < characters:
        text += rng.choice(pieces)
    return text[:characters]


def _full_width(word: str, _: random.Random) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in word)


def _zero_width(word: str, rng: random.Random) -> str:
    return "".join(letter + rng.choice("\u200b\u200d\u2060\ufe0f\u00ad") for letter in word)


def _separated(word: str, rng: random.Random) -> str:
    return rng.choice("-*_·.~|").join(word)


def _homoglyphs(word: str, _: random.Random) -> str:
    return word.translate(_LOOKS)


def _accents(word: str, rng: random.Random) -> str:
    return unicodedata.normalize("NFC", "".join(letter + rng.choice(_ACCENTS) for letter in word))


def _traditional(word: str, _: random.Random) -> str:
    return str(opencc.OpenCC("s2t").convert(word))


EVASIONS: dict[str, Callable[[str, random.Random], str]] = {
    "plain": lambda word, _: word,
    "full-width": _full_width,
    "zero-width": _zero_width,
    "separators": _separated,
    "traditional": _traditional,
    "homoglyphs": _homoglyphs,
    "accents": _accents,
}
