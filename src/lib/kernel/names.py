"""Names that people judge by, of a key, a team, a role: what is written otherwise must look otherwise.

After Unicode TR39 (https://www.unicode.org/reports/tr39/), as far as the names of a few things in one list need it.
"""

from __future__ import annotations

import re
from unicodedata import name as name_of
from unicodedata import normalize

# Seen as nothing, and yet printable to Python, which knows directions, joiners and spaces as what they are.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]"
    "|(?<![\u2000-\u2bff\u3000-\u32ff\U0001f000-\U0001faff])\ufe0f"  # it makes an emoji of a sign
)
_PHONETIC = re.compile("[\u0250-\u02ff\u1d00-\u1dbf]")  # Latin, of no language
_WORD = re.compile(r"[^\W_]+")
_ALPHABETS = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
# Letters of Greek, Cyrillic and Armenian that look like Latin ones.
_LIKE_LATIN = frozenset(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03b1\u03bd\u03b9\u03bf"
    "\u03c1\u03c5\u03c7\u03f2\u03f3"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0423\u0406\u0408\u0405\u050c\u051a\u051c"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"
    "\u0581\u0570\u0578\u057d\u0585\u0575\u0555\u054d"
    "0123456789"
)


def plain(text: str) -> str:
    """Return a name in the one form in which it is stored (NFC). Raises ValueError where it can pass for another."""
    text = normalize("NFC", text)
    if not text.isprintable() or _UNSEEN.search(text):
        raise ValueError("it has characters that nobody can see")
    if _PHONETIC.search(text) or any(_is_dressed(letter) for letter in text):
        raise ValueError("it has letters that look like plain ones: write those")
    words = _WORD.findall(text)
    used = [_alphabets(word) for word in words]
    if any(len(alphabets) > 1 for alphabets in used):
        raise ValueError("a word has letters of two alphabets that look alike")
    if {"LATIN"} in used and any(_reads_as_latin(word) for word in words):
        raise ValueError("beside Latin words, a word of another alphabet has only letters that look like Latin ones")
    return text


def _is_dressed(letter: str) -> bool:
    """Tell whether it is an ASCII letter in another dress: full width, mathematical, a ligature. ª and º are words."""
    return letter > "\u00ff" and letter.isalpha() and normalize("NFKC", letter).isascii()


def _alphabets(word: str) -> set[str]:
    return {name_of(letter, "").partition(" ")[0] for letter in word} & _ALPHABETS


def _reads_as_latin(word: str) -> bool:
    return not word.isascii() and _LIKE_LATIN.issuperset(word)
