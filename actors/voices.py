"""Voices as TwiML spells them, and the engine's voices that stand in for them, by language and gender.

No name is unknown: a voice that is in no table speaks its language with the engine's usual voice, and a language that
the engine does not know is spoken as the nearest one that it does, at last as American English.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

import attrs

FEMALE = "f2"
"""espeak-ng's variants; the voice of a language itself is male."""
MALE = ""
DEFAULT_LANGUAGE = "en-US"
DEFAULT_VOICE = "man"


class Family(enum.Enum):
    """Who made the voice; decides the length limit, and whether mark-up is spoken."""

    BASIC = "basic"
    """`man`, `woman`, `alice`: no mark-up, 4,096 characters."""
    POLLY = "polly"
    """3,000 characters without tags."""
    GOOGLE = "google"
    """5,000 characters, tags included."""


@attrs.frozen
class Voice:
    """A voice by what matters to an engine."""

    family: Family
    language: str
    """BCP 47, as wished or as the voice implies."""
    female: bool

    @property
    def engine_voices(self) -> tuple[str, ...]:
        """espeak-ng's voices to try, the nearest first."""
        variant = FEMALE if self.female else MALE
        names = engine_languages(self.language)
        return tuple(f"{name}+{variant}" if variant else name for name in names)


def _rows(text: str) -> dict[str, tuple[str, bool]]:
    """`language: Female Names | Male Names` to a table by name in lower case."""
    table: dict[str, tuple[str, bool]] = {}
    for line in text.strip().splitlines():
        language, _, names = line.strip().partition(":")
        women, _, men = names.partition("|")
        for group, female in ((women, True), (men, False)):
            for name in group.split():
                table[name.lower()] = (language, female)
    return table


POLLY: Mapping[str, tuple[str, bool]] = _rows(
    """
    arb: Zeina
    ar-AE: Hala | Zayd
    ca-ES: Arlet
    cmn-CN: Zhiyu
    cs-CZ: Jitka
    cy-GB: Gwyneth
    da-DK: Naja Sofie | Mads
    de-AT: Hannah
    de-CH: Sabrina
    de-DE: Marlene Vicki | Hans Daniel
    en-AU: Nicole Olivia | Russell
    en-GB: Amy Emma | Brian Arthur
    en-GB-WLS: | Geraint
    en-IE: Niamh
    en-IN: Aditi Raveena Kajal
    en-NZ: Aria
    en-SG: Jasmine
    en-US: Danielle Ivy Joanna Kendra Kimberly Ruth Salli | Gregory Joey Justin Kevin Matthew Stephen Patrick
    en-ZA: Ayanda
    es-ES: Conchita Lucia Alba | Enrique Sergio Raul
    es-MX: Mia | Andres
    es-US: Lupe Penelope | Miguel Pedro
    fi-FI: Suvi
    fr-BE: Isabelle
    fr-CA: Chantal Gabrielle | Liam
    fr-FR: Celine Céline Lea Léa Ambre | Mathieu Remi Rémi Florian
    is-IS: Dora Dóra | Karl
    it-IT: Carla Bianca Beatrice | Giorgio Adriano Lorenzo
    ja-JP: Mizuki Kazuha Tomoko | Takumi
    ko-KR: Seoyeon Jihye
    nb-NO: Liv Ida
    nl-BE: Lisa
    nl-NL: Lotte Laura | Ruben
    pl-PL: Ewa Maja Ola | Jacek Jan
    pt-BR: Camila Vitoria Vitória | Ricardo Thiago
    pt-PT: Ines Inês | Cristiano
    ro-RO: Carmen
    ru-RU: Tatyana | Maxim
    sv-SE: Astrid Elin
    tr-TR: Filiz Burcu
    yue-CN: Hiujin
    """
)

CHIRP: Mapping[str, tuple[str, bool]] = _rows(
    """
    : Achernar Aoede Autonoe Callirrhoe Despina Erinome Gacrux Kore Laomedeia Leda Pulcherrima Sulafat Vindemiatrix
    : Zephyr | Achird Algenib Algieba Alnilam Charon Enceladus Fenrir Iapetus Orus Puck Rasalgethi Sadachbia
    : | Sadaltager Schedar Umbriel Zubenelgenubi
    """
)
"""Google's voices with names speak every language."""
GOOGLE_MALE_LETTERS = frozenset("bdijlmqt")
"""Of Standard, Wavenet and Neural2 voices; the letters differ a little between languages, this is the usual order."""

GOOGLE = re.compile(r"google\.([a-z]{2,3}-[a-z]{2,3})-(?:[a-z0-9-]+-)?([a-z]+)", re.IGNORECASE)

ENGINE: Mapping[str, str] = {
    # Tags whose engine voice has another name than the tag, or that have a nearer relative than their bare language.
    "ar": "ar",
    "arb": "ar",
    "cmn": "cmn",
    "zh": "cmn",
    "zh-hk": "yue",
    "en": "en-us",
    "en-au": "en-gb",
    "en-ca": "en-us",
    "en-gb": "en-gb",
    "en-gb-wls": "en-gb",
    "en-ie": "en-gb",
    "en-in": "en-gb",
    "en-nz": "en-gb",
    "en-sg": "en-gb",
    "en-za": "en-gb",
    "es-mx": "es-419",
    "es-us": "es-419",
    "fil": "es",  # no Tagalog; its spelling is read by the Spanish rules it was made after
    "fr": "fr-fr",
    "fr-be": "fr-be",
    "fr-ch": "fr-ch",
    "iw": "he",
    "nn": "nb",
    "no": "nb",
    "pt-br": "pt-br",
    "yue": "yue",
}

TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")


def engine_languages(tag: str) -> tuple[str, ...]:
    """espeak-ng's names for a language, the nearest first, American English last."""
    tag = tag.strip().replace("_", "-").lower()
    names: list[str] = []
    if TAG.fullmatch(tag):
        parts = tag.split("-")
        for length in range(len(parts), 0, -1):
            shorter = "-".join(parts[:length])
            names.append(ENGINE.get(shorter, shorter))
    names.append("en-us")
    return tuple(dict.fromkeys(names))


def voice_of(name: str | None, language: str | None) -> Voice:
    """The voice that `<Say voice= language=>` asks for; never fails.

    A Polly or Google voice speaks its own language whatever `language` says, as with the original.
    """
    wanted = (name or DEFAULT_VOICE).strip()
    asked = language or DEFAULT_LANGUAGE
    vendor, dot, rest = wanted.partition(".")
    if dot and vendor.lower() == "polly":
        known = POLLY.get(rest.partition("-")[0].lower())
        own, female = known if known is not None else (asked, True)
        return Voice(Family.POLLY, own, female)
    if dot and vendor.lower() == "google":
        match = GOOGLE.fullmatch(wanted)
        if match is None:
            return Voice(Family.GOOGLE, asked, True)
        last = match[2].lower()
        female = CHIRP.get(last, ("", True))[1] if len(last) > 1 else last not in GOOGLE_MALE_LETTERS
        return Voice(Family.GOOGLE, match[1], female)
    return Voice(Family.BASIC, asked, wanted.lower() != "man")
