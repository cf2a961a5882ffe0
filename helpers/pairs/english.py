"""Rules that change English sentences on purpose, by lists of words: what is not on a list stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from helpers.pairs.morphology import both_ways, choose_option

__all__ = ["RULES"]

Changes = Iterator[tuple[str, str, str]]


NEGATIVE = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|hardly|only|any|anyone|ever|yet|either|"
    r"at all|all|every|each|both|too|also)\b|n['’]t\b",
    re.I,
)
#: Words of which both is true: half of them did, and half of them did not.
PARTIAL = re.compile(
    r"\b(?:some|someone|somebody|something|sometimes|somewhere|many|few|fewer|most|mostly|much|little|less|more|half|"
    r"(?:a|one|large|small|great|good|bad) (?:part|number|share|lot)|parts? of|several|once|often|usually|rarely|"
    r"seldom|frequently|occasionally|partly|generally|(?:a )?third of|quarter|majority|minority|various|different|"
    r"others?|another|one of|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|(?:hundr|thous)\w+)\b",
    re.I,
)
AUXILIARY = r"(is|are|was|were|will|would|should|must|could|can|has been|have been|had been)"
ADJECTIVES = both_ways(
    "big–small large–tiny good–bad high–low long–short wide–narrow deep–shallow strong–weak fast–slow "
    "loud–quiet hot–cold heavy–light easy–difficult expensive–cheap rich–poor young–elderly "
    "dry–wet bright–dark white–black happy–sad clever–stupid thick–thin "
    "upper–lower outer–inner northern–southern eastern–western positive–negative known–unknown "
    "possible–impossible visible–hidden correct–wrong important–unimportant useful–useless safe–dangerous "
    "beautiful–ugly healthy–sick alive–dead optional–mandatory public–private valid–invalid "
    "enabled–disabled horizontal–vertical ascending–descending internal–external temporary–permanent"
) | {"dirty": "clean", "cruel": "kind"}  # to clean is a verb, and a kind is a noun
#: What must stand behind an adjective, or must not, for it to have the sense whose opposite the list has.
_THINGS = r"(?:rain|snow|load|bag|box|object|stone|traffic|metal|coat|suitcase|bed|door)s?\b"
_RICH = r"(?:man|woman|family|families|countr\w+|people|boy|girl|farmer|person|part|district)s?\b"
ADJECTIVES_BEFORE = {
    "light": _THINGS,
    "rich": _RICH,
    "poor": _RICH,
    "lower": r"(?:bound|case|half|part|left|right|level|limit|triang\w+|layer|edge|corner|floor|side|row|lip)s?\b",
    "old": r"(?!(?:and|or|age|to)\b)[a-z]+",
    "correct": r"(?!the\b|an?\b|this\b|that\b|for\b|it\b)[a-z]+|$|[.,;]",
}
ADJECTIVES_NEVER_BEFORE = {
    "dry": r"run",
    "white": r"(?:space|list|noise|wine|paper|house|hole)",
    "black": r"(?:box|list|hole|market|humou?r|magic|eye|bread)",
    "hot": r"(?:key|spot|swap|plug|dog|line)",
    "deep": r"(?:learning|network|neural|thought)",
    "dead": r"(?:code|key|lock|line|end|letter)",
    "known": r"(?:as|to)\b",
    "long": r"(?:ago|since|before|after|for|way|division|integer|int|double)\b",
    "short": r"(?:of|for|circuit|cut|hand|name)",
    "cold": r"(?:start|war|blood|cache)",
    "high": r"(?:school|street|tech|seas|noon)",
    "public": r"(?:domain|key|house)",
    "private": r"key",
}
_MAKING = (
    r"\b(?:creat|add|insert|introduc|construct|return|generat|mak|made|build|built|assign|yield|start|open|produc|defin|"
    r"write|writ|allocat|initiali|register|draw|get|obtain|becom|turn|set)"
)
COMPARATIVES = both_ways(
    "bigger–smaller larger–tinier higher–lower longer–shorter wider–narrower deeper–shallower "
    "stronger–weaker faster–slower louder–quieter hotter–colder easier–harder richer–poorer younger–older "
    "better–worse thicker–thinner cheaper–dearer"
)  # fmt: skip
ADVERBS = both_ways(
    "quickly–slowly loudly–quietly inside–outside indoors–outdoors upstairs–downstairs forwards–backwards "
    "upwards–downwards correctly–incorrectly successfully–unsuccessfully happily–sadly above–below"
)  # fmt: skip
VERBS = both_ways(
    "opens–closes opened–closed increases–decreases increased–decreased increasing–decreasing "
    "enables–disables enabled–disabled enable–disable increase–decrease accepts–rejects accepted–rejected "
    "accept–reject loves–hates loved–hated wins–loses won–lost begins–ends began–ended "
    "improves–worsens improved–worsened "
    "expands–shrinks expanded–shrank encrypts–decrypts encoded–decoded encodes–decodes allows–forbids "
    "succeeds–fails succeeded–failed maximizes–minimizes maximize–minimize"
)
del VERBS["closed"]  # closed intervals are not opened ones
VERBS |= {"hides": "shows", "hid": "showed", "disappears": "appears", "disappeared": "appeared"}  # it appears to be
NOUNS = both_ways(
    "friend–enemy north–south plus–minus success–failure buyer–seller teacher–pupil winner–loser advantage–disadvantage"
) | {"entrance": "exit", "beginning": "end"}  # to exit and to end are verbs
QUANTITIES = both_ways("many–few more–fewer always–sometimes often–rarely most–some")
EXTREMES = both_ways("majority–minority maximum–minimum million–billion maximal–minimal")
UNITS = (
    ("kilometre", "metre", "centimetre"), ("kilometer", "meter", "centimeter"), ("kilogram", "gram"),
    ("minute", "second"), ("day", "week", "month", "year"), ("dollar", "euro"), ("kilobyte", "megabyte", "gigabyte"),
)  # fmt: skip
TIMES = (
    tuple("January February March April June July August September October November December".split()),
    tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    ("morning", "evening", "afternoon"),
    ("summer", "winter"),
    ("AM", "PM"),
)
NAMES = (
    tuple("Peter Robert Michael Thomas Daniel Paul David Richard George Andrew John James William".split()),
    tuple("Mary Susan Helen Laura Diana Martha Sarah Julia Nancy Karen Linda Barbara Jane".split()),
    tuple("Paris London Berlin Madrid Rome Vienna Warsaw Prague Lisbon Dublin Moscow Cairo Tokyo".split()),
    tuple(
        "France Germany Spain Italy Poland Greece Turkey India Canada Japan Brazil Norway Sweden Russia China".split()
    ),
)
NUMBERS = tuple("two three four five six seven eight nine ten eleven twelve".split())
ORDINALS = tuple("first third fourth fifth sixth seventh ninth tenth".split())
SYNONYMS = both_ways(
    "doctor–physician huge–enormous begins–starts began–started quickly–rapidly often–frequently "
    "nearly–almost buys–purchases bought–purchased shows–displays finds–locates couch–sofa film–movie "
    "returns–yields usually–normally"
)  # fmt: skip
BEINGS = (
    "man woman boy girl child baby dog cat horse bird lion tiger monkey bear cow pig mouse rabbit wolf "
    "fox teacher student doctor nurse patient soldier policeman driver lawyer judge king queen dancer "
    "singer"
).split()  # fmt: skip


def _replacement(found: re.Match, new: str) -> str:
    return new[0].upper() + new[1:] if found[0][0].isupper() else new


def _with(text: str, start: int, end: int, new: str) -> str:
    """The text with a new word, and the article before it that the word asks for."""
    before = text[:start]
    if article := re.search(r"\b(an?) $", before, re.I):
        wanted = "an" if re.match("[aeio]|un(?!i)", new, re.I) and not new.lower().startswith(("euro", "one")) else "a"
        wanted = wanted.capitalize() if article[1][0].isupper() else wanted
        before = before[: article.start(1)] + wanted + " "
    return before + new + text[end:]


def _exact(text: str, others: Mapping[str, str], refuse: str = r"(?!)", behind: str = "") -> Changes:
    """Each word of a mapping becomes the other one, unless what stands before or behind it is refused."""
    for found in re.finditer(r"\b[A-Za-z]+\b", text):
        other = others.get(found[0].lower())
        inner = found[0][0].isupper() and found.start() > 0 and text[found.start() - 2 : found.start() - 1] not in ".!?"
        hyphen = "-" in text[max(0, found.start() - 1) : found.start()] + text[found.end() : found.end() + 1]
        coded = len(found[0]) > 1 and found[0].isupper()
        if not other or inner or hyphen or coded or re.search(refuse, text[: found.start()], re.I):
            continue
        if behind and re.match(behind, text[found.end() :], re.I):
            continue
        new = _replacement(found, other)
        yield _with(text, found.start(), found.end(), new), found[0], new


_GRADED = r"\b(?:not|so|as|too|very well|the most|the least|no|n['’]t)\s$"


def _add_negation(text: str) -> Changes:
    """Puts not behind the one auxiliary of a statement."""
    if NEGATIVE.search(text) or PARTIAL.search(text) or text.rstrip().endswith("?"):
        return
    places = list(re.finditer(rf"(?<=\s)(?:{AUXILIARY[1:-1]})(?=\s)", text))
    if len(places) != 1 or re.search(
        r"\b(?:if|unless|when|that|which|who|whether|how|what|why|there|here)\b", text, re.I
    ):
        return
    first = places[0]
    at = first.start() + len(first[0].split()[0])
    new = text[:at] + " not" + text[at:]
    yield re.sub(r"\bcan not\b", "cannot", new), "", "not"


def _remove_negation(text: str) -> Changes:
    """Takes not away behind the one auxiliary of a statement."""
    if (
        len(NEGATIVE.findall(text)) != 1
        or PARTIAL.search(text)
        or text.rstrip().endswith("?")
        or re.search(r"\bbut\b|not (?:only|yet)", text)
    ):
        return
    for found in re.finditer(rf"\b({AUXILIARY[1:-1]}|does|do|did)\s+not\s|\bcannot\s", text):
        if found[0].lower().startswith(("does", "do", "did")):
            continue  # the verb behind it would need another form
        kept = "can " if found[0].startswith("cannot") else found[1] + " "
        yield text[: found.start()] + kept + text[found.end() :], "not", ""


def _swap_roles(text: str) -> Changes:
    """Who does it and to whom it is done change places: two living things in the singular, the verb between."""
    one, two = (rf"({articles} (?:{'|'.join(BEINGS)}))" for articles in ("(?:A|An|The)", "(?:a|an|the)"))
    found = re.match(rf"^{one} ((?:is [a-z]+ing)|[a-z]+(?:s|ed))( (?:at|by|to|for))? {two}\b", text)
    belongs = r"['’]s| (?:and|or|who|that|which|with)\b| [a-z]+ing\b"
    if not found or found[2] in ("is", "was", "has", "does", "looks") or re.match(belongs, text[found.end() :]):
        return
    one, other = found[1], found[4]
    if one.lower() == other.lower():
        return
    new = f"{other[0].upper()}{other[1:]} {found[2]}{found[3] or ''} {one[0].lower()}{one[1:]}{text[found.end() :]}"
    yield new, f"{one} … {other}", f"{other} … {one}"


def _swap_ways(text: str) -> Changes:
    """From one place to another becomes from that one to the first; A is faster than B becomes B is faster than A."""
    for found in re.finditer(r"\bfrom ([A-Z][a-z]+) to ([A-Z][a-z]+)\b(?! [A-Z])", text):
        known = {name for group in NAMES for name in group}
        if {found[1], found[2]} <= known and found[1] != found[2]:
            new = f"from {found[2]} to {found[1]}"
            yield text[: found.start()] + new + text[found.end() :], found[0], new
    one, two = (rf"((?:[A-Z][a-z]+)|(?:{article} [a-z]+))" for article in ("The", "the"))
    pattern = rf"^{one} (is|was) ((?:more |less )?[a-z]+) than {two}([.!]?)$"
    found = re.match(pattern, text)
    if found and (found[3].endswith("er") or " " in found[3]):
        one, other = found[1], found[4]
        one = one[0].lower() + one[1:] if one.startswith("The ") else one
        new = f"{other[0].upper()}{other[1:]} {found[2]} {found[3]} than {one}{found[5]}"
        yield new, f"{found[1]} … {found[4]}", f"{found[4]} … {found[1]}"


def _other_numbers(text: str) -> Changes:
    """A whole number, a number in words or an ordinal becomes another one; one stays, and years are left to time."""
    for found in re.finditer(r"(?<![\w.,:/#$^*+=-])\d{1,6}(?![\w:/%*^=+-]|[.,:]\d)", text):
        number = int(found[0])
        if number < 2 or found[0][0] == "0" or _is_year(found[0]):
            continue
        size = 10 ** (len(found[0]) - 1)
        options = [str(n) for n in range(max(2, size), size * 10, max(1, size // 3)) if n != number]
        new = choose_option(options, f"{text}\0{found.start()}")
        yield text[: found.start()] + new + text[found.end() :], found[0], new
    for group in (NUMBERS, ORDINALS):
        for found in re.finditer(rf"\b(?:{'|'.join(group)})\b(?!-)", text, re.I):
            if re.search(r"(?:-|\b(?:hundred|at)\s)$", text[: found.start()], re.I):
                continue
            new = choose_option([n for n in group if n != found[0].lower()], f"{text}\0{found.start()}")
            new = _replacement(found, new)
            yield _with(text, found.start(), found.end(), new), found[0], new


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in ("18", "19", "20")


def _other_names(text: str) -> Changes:
    """A given name, city or country becomes another one."""
    for group in NAMES:
        for found in re.finditer(rf"\b(?:{'|'.join(group)})\b(?![-'’](?!s))", text):
            new = choose_option([n for n in group if n not in text], f"{text}\0{found.start()}")
            yield text[: found.start()] + new + text[found.end() :], found[0], new


def _antonyms(text: str) -> Changes:
    """An adjective, adverb, verb or noun becomes its opposite."""
    yield from _exact(text, VERBS, r"\b(?:to|not|an?|the|its|their)\s$|n['’]t\s$", r"\s+(?:for|that|in|as)\b")
    yield from (found for found in _adjectives(text) if _is_meant(text, found))
    yield from _exact(text, COMPARATIVES, r"\b(?:not|no)\s$", r"(?! than\b)")
    yield from _exact(text, ADVERBS, _GRADED + r"|\bthe\s$")
    yield from _exact(text, NOUNS, _GRADED)


def _adjectives(text: str) -> Changes:
    people = "|".join([*BEINGS, "people", "person", "men", "women", "lady", "guy", "couple"])
    yield from _exact(text, ADJECTIVES, _GRADED + r"|\b(?:in|for|to|will|can)\s$", r"\s+(?:of|as|time|enough)\b")
    aged = _GRADED + r"|\b(?:years?|months?|days?|how)\s$"
    yield from _exact(text, {"old": "new"}, aged, rf"\s+(?:[a-z]+ )?(?:{people})\b")
    if not re.search(_MAKING, text, re.I):
        yield from _exact(text, {"new": "old"}, _GRADED)


def _is_meant(text: str, change: tuple[str, str, str]) -> bool:
    """Whether what stands behind an adjective allows the sense whose opposite is known."""
    changed, before, _ = change
    start = next(k for k, (a, b) in enumerate(zip(text, changed, strict=False)) if a != b)
    found = next(m for m in re.finditer(rf"\b{re.escape(before)}\b", text) if m.end() > start)
    word, rest = before.lower(), text[found.end() :].lstrip()
    if word in ("possible", "impossible"):  # all possible trees
        return bool(re.search(r"\b(?:is|are|was|were|be|if|becomes)\s$", text[: found.start()], re.I))
    if word in ADJECTIVES_BEFORE and not re.match(ADJECTIVES_BEFORE[word], rest, re.I):
        return False
    return not (word in ADJECTIVES_NEVER_BEFORE and re.match(ADJECTIVES_NEVER_BEFORE[word], rest, re.I))


def _other_times(text: str) -> Changes:
    """A month, weekday, part of the day or year becomes another one; before becomes after."""
    for group in TIMES:
        for found in re.finditer(rf"\b(?:{'|'.join(group)})\b", text):
            if found[0] in ("March", "AM", "PM") and not re.search(r"\d\s*$|\b[Ii]n\s$", text[: found.start()]):
                continue
            new = choose_option([n for n in group if n != found[0]], f"{text}\0{found.start()}")
            yield _with(text, found.start(), found.end(), new), found[0], new
    for found in re.finditer(r"\b(?:in|since|until|of) ((?:18|19|20)\d\d)\b(?![-/.]\d)", text, re.I):
        years = [str(int(found[1]) + k) for k in (-13, -7, -4, 5, 8) if str(int(found[1]) + k)[:2] == found[1][:2]]
        new = choose_option(years, f"{text}\0{found.start()}")
        yield text[: found.start(1)] + new + text[found.end(1) :], found[1], new
    longer = r"\b(?:ever|never|long|soon|shortly|day|look\w*|year\w*)\s$"
    events = r"(?!\s+(?:the|a|an|lunch|dinner|breakfast|work|school|\w+ing)\b)"
    yield from _exact(text, {"before": "after", "after": "before"}, longer, events)
    yield from _exact(text, {"earlier": "later", "later": "earlier", "early": "late", "late": "early"}, _GRADED)


def _other_quantities(text: str) -> Changes:
    """Many become few, all some, always sometimes; another unit behind a number."""
    yield from _exact(text, EXTREMES)
    yield from _exact(
        text, QUANTITIES, r"\b(?:not|so|as|how|too|no|the|at|a|once|any|very)\s$", r"\s+(?:of it|like|else|or)\b"
    )
    for found in re.finditer(r"\b([Aa]ll) (?=(?:the |of the )?[a-z]+s\b)", text):
        new = "Some " if found[1][0].isupper() else "some "
        rest = text[found.end() :]
        rest = f"of {rest}" if rest.startswith("the ") else rest
        if not re.search(r"\b(?:not|at|after|above|for|nearly|almost)\s$", text[: found.start()], re.I):
            yield text[: found.start()] + new + rest, found[1], new.strip()
    for group in UNITS:
        for found in re.finditer(rf"(?<=\d )({'|'.join(group)})(s?)\b", text):
            new = choose_option([u for u in group if u != found[1]], f"{text}\0{found.start()}") + found[2]
            yield text[: found.start()] + new + text[found.end() :], found[0], new


CONJUNCTIONS = ("if", "when", "although", "because", "unless")
POINTING = re.compile(
    r"\b(?:he|she|it|they|his|her|its|their|him|them|this|that|these|those|then|there|so|such|and|or|but|which|who|one|"
    r"ones|otherwise)\b",
    re.I,
)


def _move_clause(text: str) -> Changes:
    """If A, B becomes B if A, and the other way round."""
    if POINTING.search(text) or re.search(r"[;:()«»\"—–?]", text):
        return
    names = "|".join(CONJUNCTIONS)
    if found := re.fullmatch(rf"({names}) ([^,.]+), ([^,.]+)\.", text, re.I):
        if len(found[2].split()) >= 2 and len(found[3].split()) >= 2:
            left, right = _small(found[1] + " " + found[2]), found[3]
            yield f"{right[0].upper()}{right[1:]} {left}.", f"{found[1]} {found[2]}", right
    elif found := re.fullmatch(rf"([^,.]+?),? ({names}) ([^,.]+)\.", text):
        one, two = found[1], found[3]
        if len(one.split()) >= 2 and len(two.split()) >= 2 and not re.search(rf"\b(?:{names})\b", one + two, re.I):
            if not re.search(r"\b(?:is|was|are|only|even|not|what|as|especially)$", one):
                yield f"{found[2].capitalize()} {two}, {_small(one)}.", one, f"{found[2]} {two}"


def _small(text: str) -> str:
    """A text with a small first letter, unless its first word is one that always has a capital."""
    word = text.split()[0]
    known = {name for group in (*NAMES, *TIMES[:2]) for name in group} | {"I"}
    return text if word in known or (len(word) > 1 and not word[1:].islower()) else text[0].lower() + text[1:]


def _synonyms(text: str) -> Changes:
    """A word becomes one of the same sense."""
    yield from _exact(text, SYNONYMS, _GRADED)


#: Rules by what they change.
RULES: dict[str, list[Callable[[str], Changes]]] = {
    "negation": [_add_negation, _remove_negation],
    "roles": [_swap_roles, _swap_ways],
    "numbers": [_other_numbers],
    "names": [_other_names],
    "antonyms": [_antonyms],
    "time": [_other_times],
    "quantity": [_other_quantities],
    "clause order": [_move_clause],
    "synonyms": [_synonyms],
}
