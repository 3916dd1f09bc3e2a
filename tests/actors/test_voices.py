"""Voices: every name that TwiML knows has a stand-in, and no name fails."""

from __future__ import annotations

from pathlib import Path

import espeakng_loader
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.actors.voices import POLLY, Family, engine_languages, voice_of

LANGUAGES = """
af-ZA am-ET ar-AE ar-XA arb bg-BG bn-IN ca-ES cmn-CN cmn-TW cs-CZ cy-GB da-DK de-AT de-DE el-GR en-AU en-CA en-GB
en-GB-WLS en-IE en-IN en-NZ en-US en-ZA es-ES es-MX es-US fi-FI fil-PH fr-BE fr-CA fr-FR gu-IN he-IL hi-IN hu-HU id-ID
is-IS it-IT ja-JP kn-IN ko-KR lv-LV ml-IN mr-IN ms-MY nb-NO nl-BE nl-NL pa-IN pl-PL pt-BR pt-PT ro-RO ru-RU sk-SK sr-RS
sv-SE ta-IN te-IN th-TH tr-TR uk-UA vi-VN yue-HK zh-CN zh-HK zh-TW en en-gb es fr de it
"""


def engine_tags() -> set[str]:
    """The languages that the installed engine has, as its voice files name them."""
    tags: set[str] = set()
    for path in (Path(espeakng_loader.get_data_path()) / "lang").rglob("*"):
        if path.is_file():
            tags.add(path.name.lower())
            for line in path.read_text("utf-8", "replace").splitlines():
                if line.startswith("language "):
                    tags.add(line.split()[1].lower())
    return tags


@pytest.mark.parametrize("tag", LANGUAGES.split())
def test_every_language_of_say_is_spoken_by_the_engine_itself(tag: str) -> None:
    known = engine_tags()
    names = [name for name in engine_languages(tag) if name in known]
    assert names
    if not tag.lower().startswith("en"):
        assert names[0] != "en-us"


@pytest.mark.parametrize(
    ("name", "language", "family", "spoken", "female"),
    [
        (None, None, Family.BASIC, "en-US", False),
        ("man", "de", Family.BASIC, "de", False),
        ("woman", "es", Family.BASIC, "es", True),
        ("alice", "fr-FR", Family.BASIC, "fr-FR", True),
        ("Polly.Joanna", None, Family.POLLY, "en-US", True),
        ("Polly.Matthew-Neural", "de-DE", Family.POLLY, "en-US", False),
        ("Polly.Léa-Generative", None, Family.POLLY, "fr-FR", True),
        ("Polly.Nobody", "it-IT", Family.POLLY, "it-IT", True),
        ("Google.de-DE-Wavenet-B", None, Family.GOOGLE, "de-DE", False),
        ("Google.en-GB-Standard-A", None, Family.GOOGLE, "en-GB", True),
        ("Google.en-US-Chirp3-HD-Puck", None, Family.GOOGLE, "en-US", False),
        ("Google.cmn-CN-Chirp3-HD-Aoede", None, Family.GOOGLE, "cmn-CN", True),
        ("Google.nonsense", "sv-SE", Family.GOOGLE, "sv-SE", True),
        ("Acme.Robot", None, Family.BASIC, "en-US", True),
    ],
)
def test_a_voice_stands_for_a_language_and_a_gender(
    name: str | None, language: str | None, family: Family, spoken: str, female: bool
) -> None:
    voice = voice_of(name, language)
    assert (voice.family, voice.language, voice.female) == (family, spoken, female)
    assert all(("+" in engine) is female for engine in voice.engine_voices)


def test_the_nearest_language_comes_first_and_american_english_last() -> None:
    assert engine_languages("es-MX") == ("es-419", "es", "en-us")
    assert engine_languages("pt-PT") == ("pt-pt", "pt", "en-us")
    assert engine_languages("zh_HK") == ("yue", "cmn", "en-us")
    assert engine_languages("?") == ("en-us",)
    assert len(POLLY) > 90


@settings(max_examples=100)
@given(st.text(max_size=30), st.text(max_size=12))
def test_no_name_fails(name: str, language: str) -> None:
    assert voice_of(name, language).engine_voices
