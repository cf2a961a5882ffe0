"""Where free text lies: packages with versions, digests, licences and readers; found in a folder, or fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from helpers.locations import expand
from helpers.pairs.archives import sha256_of_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LIGHT",
    "LIGHT_PAIRS",
    "SOURCES",
    "Package",
    "TextSource",
    "fetch_packages",
    "package_files",
    "sources_table",
]


@dataclass(frozen=True)
class Package:
    """A file with text, as a package index has it.

    Attributes
    ----------
    name, version
        Name and version in the index.
    sha256
        Digest of the file, 64 hexadecimal digits; empty where the index is a moving one, and then any file is taken.
    client
        ``"apt"`` for Debian packages, ``"pip"`` for packages of the Python index, ``""`` for a file that no client
        downloads by name.
    """

    name: str
    version: str
    sha256: str
    client: str = "apt"

    def version_of(self, file: str) -> str | None:
        """The version in a file's name; None if it is a file of another package."""
        if not self.client:
            return self.version if file == self.name else None
        if self.client == "apt":
            found = re.fullmatch(rf"{re.escape(self.name)}_([^_]+)_\w+\.deb", file)
        else:
            stem = re.sub(r"[-_.]+", "[-_.]+", self.name)
            found = re.fullmatch(rf"{stem}-(\d[^-]*?)(?:-[^/]*\.whl|\.tar\.gz|\.zip)", file, re.I)
        return found[1].replace("%3a", ":") if found else None


@dataclass(frozen=True)
class TextSource:
    """Text of one origin.

    Attributes
    ----------
    name
        Name of the source in tables.
    packages
        Packages that it needs, those of the English twin included.
    licence
        Licence of the text, as the package states it.
    reader
        One of :data:`helpers.pairs.readers.READERS`.
    kinds
        Kinds of pairs that it gives; see :data:`helpers.pairs.HEURISTICS`.
    options
        Options of the reader.
    language
        Language of the text.
    ship
        Whether its licence lets a small sample be shipped with attribution (CC BY-SA, MPL).
    """

    name: str
    packages: tuple[Package, ...]
    licence: str
    reader: str
    kinds: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    language: str = "ru"
    ship: bool = False


def _twins(
    name: str,
    own: str,
    english: str,
    licence: str,
    parser: str,
    where: str,
    there: str = "",
    kinds: tuple[str, ...] = ("title", "neighbour", "translation"),
    ship: bool = False,
) -> TextSource:
    """Documents beside their English twins; packages are given as ``name=version=digest``, parted by blanks."""
    packages, twins = ([Package(*one.split("=")) for one in side.split()] for side in (own, english))
    options = {
        "parser": parser,
        "packages": tuple(package.name for package in packages),
        "twins": tuple(package.name for package in twins),
        "where": where,
        "there": there,
    }
    together = tuple(dict.fromkeys((*packages, *twins)))
    return TextSource(name, together, licence, "twins", kinds, options, ship=ship)


_WIKI = Package(
    "wiki-ru-wordnet", "1.0.3", "1c7d55a309f0813cf0dba1db7c814a3742fe7191e6b37ddf3293b6e8ea0b3ac8", client="pip"
)
_GNOME = "gnome-user-docs=43.0-2=0d635a840747958ca84da778b40d341f1155603851f922c9a171f5a181d6a39f"
_HANDBOOK = "debian-handbook=11.20220922=3d5dbeac1f1afc9c094eab9d0f701f6ecff99c4927d5a4794cf6c85678134faa"
_INSTALL = "installation-guide-amd64=20230508+deb12u1=812c43e1dc906daf671e3efe953dc023205c238e5bd5a3021ce4ca142793573a"

_SOURCES = (
    TextSource(
        "wiktionary",
        (_WIKI,),
        "MIT by its package; the text is Wiktionary's (CC BY-SA)",
        "wordnet",
        ("definition", "example", "same sense", "synonym"),
        {"database": "wikiwordnet.db"},
    ),
    TextSource(
        "mythes",
        (Package("mythes-ru", "1:7.5.0-1", "bc4b5910dfec133f9dc29598de66ef0b713087112cb2981207719c3d8ccb6638"),),
        "MPL-2.0",
        "thesaurus",
        ("synonym",),
    ),
    TextSource(
        "fortunes",
        (Package("fortunes-ru", "1.52-3.1", "2dc76af9c0e02e2926d36f88dcb685bb171fab8677e553a6def41efe8a551cc6"),),
        "GPL-2",
        "fortunes",
        (),
        {"where": "/fortunes/ru/"},
    ),
    TextSource(
        "debian-descriptions",
        (Package("Translation-ru", "", "", client=""), Package("Translation-en", "", "", client="")),
        "not stated",
        "descriptions",
        ("summary", "neighbour", "translation"),
    ),
    TextSource(
        "cataclysm",
        (Package("cataclysm-dda-data", "0.F-3-9", "cd0c097169fe364fdb6bcdab77663d24920a063387ce2fbf1b5d3be01c141105"),),
        "CC-BY-SA-3.0",
        "things",
        ("title", "translation"),
        {"catalogue": "ru/LC_MESSAGES/cataclysm-dda.mo", "where": "/json/"},
        ship=True,
    ),
    _twins(
        "manpages",
        "manpages-ru=4.18.1-1=5d5821dad5840652ba9c1c6b85bdc785c1fc52148a71c18fab6658c9659244c0 "
        "manpages-ru-dev=4.18.1-1=7182289b9a0af78422e48412f149907b6d84d16c78544db97e48b6ab2562bb55",
        "manpages=6.03-2=efa1ba4cd19ad7baeae959c9209a7eb74be2ebb858bcabb412597bfc9f588c91 "
        "manpages-dev=6.03-2=96f55cb5e26231d5567c89b692bced63825a14a2d5bd18fdf16ea2ed44eb9838",
        "GPL-3+",
        "man",
        r"^usr/share/man/ru/(?=man\d)",
        r"^usr/share/man/(?=man\d)",
        ("summary", "title", "neighbour", "translation"),
    ),
    _twins(
        "libreoffice",
        "libreoffice-help-ru=4:7.4.7-1+deb12u14=5a2f75d5b0dfcf660275070647af528a81be28b5d3e9c3ec2d419ef5518db7a2",
        "libreoffice-help-en-us=4:7.4.7-1+deb12u14=8faa840285734d6cfe1ed25537b48f07e74bd6412e3917bf8e5f8a653f7b3712",
        "MPL-2.0",
        "html by name",
        r"^.*/help/ru/(?=text/)",
        r"^.*/help/en-US/(?=text/)",
        ship=True,
    ),
    _twins(
        "gnome-help",
        _GNOME,
        _GNOME,
        "CC-BY-SA-3.0",
        "mallard",
        r"^usr/share/help/ru/(?=.*\.page$)",
        r"^usr/share/help/C/(?=.*\.page$)",
        ("title", "summary", "neighbour", "translation"),
        ship=True,
    ),
    _twins(
        "gimp-help",
        "gimp-help-ru=2.10.34-2=6cc1afc044beda47a616cd2627ac5941bcca7ef7beb5edde7aa3b41cc61c3edd",
        "gimp-help-en=2.10.34-2=a2deec76763aaf2fcdd197bac0736cdcb0770ba993d48d233329e1c92b0bfe36",
        "GFDL-1.2+",
        "html",
        r"^.*/help/ru/(?=.*\.html$)",
        r"^.*/help/en/(?=.*\.html$)",
    ),
    _twins(
        "debian-handbook",
        _HANDBOOK,
        _HANDBOOK,
        "GPL-2+ or CC-BY-SA-3.0",
        "html",
        r"^.*/html/ru-RU/(?=.*\.html$)",
        r"^.*/html/en-US/(?=.*\.html$)",
        ship=True,
    ),  # fmt: skip
    _twins(
        "installation-guide",
        _INSTALL,
        _INSTALL,
        "GPL-2+",
        "html",
        r"^.*amd64/ru/(?=.*\.html$)",
        r"^.*amd64/en/(?=.*\.html$)",
    ),  # fmt: skip
    _twins(
        "developers-reference",
        "developers-reference-ru=12.18=a618bfa826e2436fa73d5bf4eaac7170ff9d25a5d1bdd86b1c25a196a2b886c6",
        "developers-reference=12.18=0dba82f6fa16e373f2a84ad07e7971aa9264ad2e7d2ae46b37edbc9c5fd57e2e",
        "GPL-2",
        "html",
        r"^.*developers-reference/ru/(?=.*\.html$)",
        r"^.*developers-reference/(?=[^/]*\.html$)",
    ),
    _twins(
        "maint-guide",
        "maint-guide-ru=1.2.53=41b69743c45f0a931edca9ab19232e226cebce393cbafdd582f0d000499a0d19",
        "maint-guide=1.2.53=762c8a400a36668d2eb814a3ba356b06488fd889dfce478eb11d5cfb189a47b5",
        "GPL-2+",
        "html",
        r"^.*maint-guide-ru/html/(?=.*\.html$)",
        r"^.*maint-guide/html/(?=.*\.html$)",
    ),
    _twins(
        "debian-faq",
        "debian-faq-ru=11.1=aaaae7a409c5cf5f5b8c26991f6ef484297e0cd2dee74c8d675cfa6613bce541",
        "debian-faq=11.1=427426e0cfa6888622fc1d72631071cb4b5a1f86ccde722e7820bcef284de5d0",
        "GPL-2+",
        "html",
        r"^.*FAQ/ru/(?=.*\.html$)",
        r"^.*FAQ/(?=[^/]*\.html$)",
        ("title", "question", "neighbour", "translation"),
    ),
    _twins(
        "aptitude",
        "aptitude-doc-ru=0.8.13-5=0d38f3888b2510d2a294ff32622fce0af44a1bdc0f8f1979165301dffde14ba2",
        "aptitude-doc-en=0.8.13-5=ba4864ca26464bbe06acd94dc4a79402eea5d7b2d3da943d6ecce3c752bc9e84",
        "GPL-2+",
        "html",
        r"^.*html/ru/(?=.*\.html$)",
        r"^.*html/en/(?=.*\.html$)",
    ),
    _twins(
        "doublecmd",
        "doublecmd-help-ru=1.0.10-1=81d380674da3b6daf2d12101d0937d1ca978cc66c64220ae55a393994f325f2c",
        "doublecmd-help-en=1.0.10-1=f688288a5688601c969597cbb08eace79d23bf15821af3b85c3001319b331969",
        "GPL-2+",
        "html",
        r"^.*doc/ru/(?=.*\.html$)",
        r"^.*doc/en/(?=.*\.html$)",
    ),
    TextSource(
        "crawl",
        (Package("crawl-common", "2:0.28.0-1.1", "50c8f0091ba88538dde6585e5eddba02677bfe94d3ee4dc90a5bd3a788650f59"),),
        "GPL-2+",
        "entries",
        ("neighbour", "translation"),
        {"where": "/descript/"},
    ),
    TextSource(
        "freeciv",
        (
            Package(
                "freeciv-data", "3.0.6-1+deb12u1", "278bed022b87408ca9923aa727bef3d6c97875c811723e93ff95dded1b9b76b2"
            ),
        ),
        "GPL-2+",
        "catalogues",
        ("translation",),
    ),
    TextSource(
        "freeorion",
        (Package("freeorion-data", "0.4.10.2-1", "911a15d562f9c2a454eda03d4ed9e9ddc01be850d415652f257fe14660896017"),),
        "GPL-2+ and CC-BY-SA-3.0",
        "string table",
        ("title", "translation"),
        {"where": "stringtables"},
    ),
    TextSource(
        "programs",
        (
            Package("klavaro", "3.11-1+b1", "f8caf4756d0250d48bdb293b371836d29f9f5ec23429f66f10d0925f4b15e400"),
            Package("mc-data", "3:4.8.29-2", "a273c2e833524f1d2e8579b737802b18ad4c77d9f45b3ef7d6fc6b2605e4fd3d"),
            Package("gbrainy", "1:2.4.6-1", "a65e83ee929f07b0df9cc9aabb9b5341fad149c43fe111fca4c729afdb024417"),
        ),
        "GPL-2+ and GPL-3+",
        "catalogues",
        ("translation",),
    ),
    TextSource(
        "iso-codes",
        (Package("iso-codes", "4.15.0-1", "b1beb869303229c38288d4ddacfd582c91f594759b5767c9cecebd87f16ff70e"),),
        "LGPL-2.1+",
        "catalogues",
        ("translation",),
    ),
)
#: Sources by name, in the order in which texts that several have are kept.
SOURCES: dict[str, TextSource] = {source.name: source for source in _SOURCES}
#: Sources of about 60 MB that give every kind of pair.
LIGHT = ("wiktionary", "mythes", "fortunes", "cataclysm", "manpages", "libreoffice")
#: Pairs that they give, without those that have texts of encodechka; counted with the versions of the table.
LIGHT_PAIRS = 327_177


def sources_table(sources: Iterable[str] | str = tuple(SOURCES)) -> pd.DataFrame:
    """What sources are: packages with versions and digests, licence, reader, kinds of pairs, and what may be shipped.

    Parameters
    ----------
    sources
        Names of :data:`SOURCES`, or one of them.

    Returns
    -------
    DataFrame
        A row for each package: ``source``, ``package``, ``version``, ``sha256``, ``licence``, ``reader``, ``kinds``
        (joined by commas), ``ship``.

    Examples
    --------
    >>> sources_table("mythes").iloc[0][["package", "version", "licence"]].tolist()
    ['mythes-ru', '1:7.5.0-1', 'MPL-2.0']
    """
    import pandas as pd

    rows = [
        {
            "source": source.name,
            "package": package.name,
            "version": package.version,
            "sha256": package.sha256,
            "licence": source.licence,
            "reader": source.reader,
            "kinds": ", ".join(source.kinds),
            "ship": source.ship,
        }
        for source in known_sources(sources)
        for package in source.packages
    ]
    return pd.DataFrame(rows)


def known_sources(sources: Iterable[str] | str) -> list[TextSource]:
    """The sources of some names, each once, in the order of the table."""
    names = [sources] if isinstance(sources, str) else list(sources)
    unknown = [name for name in names if name not in SOURCES]
    if unknown or not names:
        said = f"no source {', '.join(map(repr, unknown))}" if unknown else "sources is empty"
        raise ValueError(f"{said}; there are {', '.join(SOURCES)}")
    return [SOURCES[name] for name in SOURCES if name in names]


def package_files(
    folder: str | os.PathLike[str],
    packages: Iterable[Package],
    *,
    versions: Literal["known", "any"] = "known",
) -> dict[str, Path]:
    """The files of packages in a folder.

    Parameters
    ----------
    folder
        Folder in which they lie under the names that their index gives them.
    packages
        Packages that are looked for.
    versions
        ``"known"``: only the version of the table, with its digest. ``"any"``: whatever version lies there, one of each
        package; results then are those of another corpus.

    Returns
    -------
    dict of str to Path
        File of each package, by the name of the package.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or files are missing (all are named).
    ValueError
        If a file has another version than the table, or another digest, or several versions lie there.
    """
    if versions not in ("known", "any"):
        raise ValueError(f"versions is {versions!r}; it is 'known' or 'any'")
    folder = Path(expand(folder))
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    there = sorted(path for path in folder.iterdir() if path.is_file())
    found: dict[str, Path] = {}
    absent: list[str] = []
    for package in packages:
        files = {path: v for path in there if (v := package.version_of(path.name)) is not None}
        if versions == "known" and files and package.version not in files.values():
            lie = ", ".join(sorted(files.values()))
            raise ValueError(
                f"{folder} has {package.name} in version {lie}, the table names {package.version}; "
                "put that version there, or pass versions='any' and work on another corpus"
            )
        files = [path for path, v in files.items() if versions == "any" or v == package.version]
        if not files:
            absent.append(f"{package.name} {package.version}".strip())
            continue
        if len(files) > 1:
            raise ValueError(f"{folder} has several files of {package.name}: {', '.join(path.name for path in files)}")
        if versions == "known" and package.sha256 and (digest := sha256_of_file(files[0])) != package.sha256:
            raise ValueError(f"{files[0]} has SHA-256 {digest}, the table names {package.sha256}")
        found[package.name] = files[0]
    if absent:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(absent)}; put the files there, or fetch them by helpers.pairs.fetch_packages"
        )
    return found


def fetch_packages(
    folder: str | os.PathLike[str],
    sources: Iterable[str] | str = LIGHT,
    *,
    say: Callable[[str], Any] | None = None,
) -> list[Path]:
    """Download packages that a folder lacks, once, by the ordinary client of their index.

    Parameters
    ----------
    folder
        Folder for the packages, made if need be. What lies there with the right digest is not fetched again, and each
        file comes to its place only when it is whole, so that a call that was stopped goes on with the next one.
    sources
        Names of :data:`SOURCES`.
    say
        Called with a line for each package that is fetched, for instance ``print``.

    Returns
    -------
    list of Path
        Files of all packages of the sources.

    Raises
    ------
    ValueError
        If a downloaded file has another digest than the table; it is not kept.
    OSError
        If there is no client for an index on this machine, or it cannot fetch the package (its message is repeated).
    """
    folder = Path(expand(folder))
    folder.mkdir(parents=True, exist_ok=True)
    packages = list(dict.fromkeys(p for source in known_sources(sources) for p in source.packages))
    found = []
    for package in packages:
        try:
            found.append(package_files(folder, [package])[package.name])
        except FileNotFoundError:
            if say:
                say(f"{package.name} {package.version}")
            found.append(_fetched(package, folder))
    return found


def _fetched(package: Package, folder: Path) -> Path:
    if package.client == "pip":
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--quiet",
            f"{package.name}=={package.version}",
        ]
    elif package.client == "apt" and (client := shutil.which("apt-get")):
        command = [client, "download", "--quiet", f"{package.name}={package.version}"]
    else:
        wanted = "its package list" if not package.client else "version " + package.version
        raise OSError(f"there is no client here that fetches {package.name}; put its file ({wanted}) into {folder}")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as place:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True)
        if done.returncode:
            told = (done.stderr or done.stdout).strip()[-500:]
            raise OSError(f"{package.name} {package.version} cannot be fetched: {told}")
        path = package_files(place, [package])[package.name]
        return Path(shutil.move(path, folder / path.name))
