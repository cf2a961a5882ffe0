"""One spelling of a text, what is left of it when only letters count, and the language that its letters say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["LANGUAGES", "clean_text", "decoded_text", "in_language", "is_broken", "is_paragraph", "letters_key"]

#: Languages by their code: the letters of one, and letters that only others have.
LANGUAGES = {"ru": ("а-яё", "іїєґўѓќђћљњџ"), "en": ("a-z", "ßøåæðþłđ")}
# stress marks, soft hyphens, characters without a width
_UNSEEN = dict.fromkeys(map(ord, "\u0301\u0300\u00ad\u200b\u200c\u200d\u2060\ufeff"))
# Cyrillic in UTF-8 that was read as CP1251 or as Latin-1, and what could not be read at all
_BROKEN = re.compile(
    "(?:[РС][Ђ-Џђ-џ°±µ¶·№»¤¦§©«¬®‚„…†‡€‰‹‘’“”•–—™›\u00a0]){2}|(?:[ÐÑ][\u0080-\u00ff\u2018-\u203a]){2}|\ufffd"
)


def clean_text(text: str) -> str:
    """A text in one line: composed characters, single blanks, no stress marks, no bullets around it.

    >>> clean_text("  • За́мок\\n над  озером ")
    'Замок над озером'
    """
    # stress marks go before composition, or they would become part of Latin letters; й and ё are composed by it
    composed = unicodedata.normalize("NFC", text or "").translate(_UNSEEN)
    return re.sub(r"\s+", " ", composed).strip(" \t*•·–—|")


def letters_key(text: str) -> str:
    """What is left of a text when only letters count: words in lower case, ё as е, without digits and signs.

    >>> letters_key("Ёлка — 3-й этаж!")
    'елка й этаж'
    """
    return re.sub(r"[\W\d_]+", " ", text.lower().replace("ё", "е")).strip()


def in_language(text: str, language: str = "ru", *, words: int = 1, share: float = 0.6) -> bool:
    """Whether a text is written in a language, by its letters.

    Parameters
    ----------
    text
        A text of any length.
    language
        One of :data:`LANGUAGES`.
    words
        Least number of words of two letters or more.
    share
        Least share, in (0, 1], that letters of the language have among all letters.

    Returns
    -------
    bool
        False too where letters stand that only neighbouring languages have, or traces of a broken encoding.

    Raises
    ------
    ValueError
        If the language is unknown.

    Examples
    --------
    >>> in_language("Откройте файл Makefile"), in_language("Відкрийте файл"), in_language("Open it")
    (True, False, False)
    """
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}; it is one of {', '.join(map(repr, LANGUAGES))}")
    own, foreign = LANGUAGES[language]
    if is_broken(text):
        return False
    text = text.lower()
    letters = sum(c.isalpha() for c in text)
    return (
        letters > 0
        and len(re.findall(f"[{own}]{{2,}}", text)) >= words
        and len(re.findall(f"[{own}]", text)) >= share * letters
        and not re.search(f"[{foreign}]", text)
    )


def is_broken(text: str) -> bool:
    """Whether a text shows traces of having been read in a wrong encoding."""
    return bool(_BROKEN.search(text))


def is_paragraph(text: str, language: str = "ru", *, length: tuple[int, int] = (20, 2000)) -> bool:
    """Whether a text can be a paragraph: so many characters, four words of the language, three quarters letters."""
    return (
        length[0] <= len(text) <= length[1]
        and in_language(text, language, words=4)
        and sum(c.isalpha() or c == " " for c in text) >= 0.75 * len(text)
    )


def decoded_text(data: bytes, encodings: Sequence[str] = ("koi8-r", "cp1251")) -> str:
    """The text of a file in UTF-8, or in the encoding that it declares, or in the likeliest of some old ones.

    Parameters
    ----------
    data
        Content of a file.
    encodings
        Encodings that are tried where the file is not in UTF-8 and declares nothing: taken is the one whose Cyrillic
        letters are small letters most often, since in the wrong one of two Russian encodings capitals and small
        letters change places.

    Raises
    ------
    ValueError
        If the declared encoding is unknown, or none of the encodings fits.

    Examples
    --------
    >>> decoded_text("Привет, мир".encode("cp1251")), decoded_text("Привет, мир".encode("koi8-r"))
    ('Привет, мир', 'Привет, мир')
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        broken = error
    said = re.search(rb"(?:charset|encoding|coding)[=:]\s*[\"']?([\w-]+)", data[:2000])
    if said and said[1].lower().replace(b"-", b"") != b"utf8":
        try:
            return data.decode(said[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError) as error:
            raise ValueError(f"the file says that it is in {said[1].decode('ascii')!r}: {error}") from None
    candidates = {}
    for name in encodings:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        cyrillic = re.findall("[А-яЁё]", text)
        others = sum(ord(c) > 127 for c in text) - len(cyrillic)
        candidates[text] = sum(c.islower() for c in cyrillic) - 3 * others
    if not candidates:
        tried = ", ".join(encodings)
        raise ValueError(f"byte 0x{data[broken.start]:02x} at {broken.start} is not UTF-8, and none of {tried} fits")
    return max(candidates, key=candidates.get)
