"""Tiny packages of every kind that the readers know: Debian packages, catalogues, manual pages."""

import io
import lzma
import struct
import tarfile


def tar_of(members):
    """A tar archive of names and contents."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def ar_of(members):
    """An ar archive of names and contents, as ``ar`` writes it."""
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}".encode() + b"`\n"
        parts += [header, content, b"\n" * (len(content) % 2)]
    return b"".join(parts)


def deb_of(members, pack=lzma.compress, ending=".xz"):
    """A Debian package whose data are these names and contents."""
    data = {"debian-binary": b"2.0\n", f"control.tar{ending}": pack(tar_of({}))}
    return ar_of({**data, f"data.tar{ending}": pack(tar_of(members))})


def write_deb(folder, name, version, members):
    """A Debian package in a folder, under the name that apt gives it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_{version.replace(':', '%3a')}_all.deb"
    path.write_bytes(
        deb_of({f"./{place}": text.encode() if isinstance(text, str) else text for place, text in members.items()})
    )
    return path


def catalogue_of(messages, charset="UTF-8"):
    """A compiled catalogue of gettext."""
    rows = sorted({"": f"Content-Type: text/plain; charset={charset}\n", **messages}.items())
    codec = charset.lower()
    ids, texts = zip(*((a.encode(codec), b.encode(codec)) for a, b in rows), strict=True)
    start = 28 + 16 * len(rows)
    table, body = [], b""
    for side in (ids, texts):
        for part in side:
            table.append((len(part), start + len(body)))
            body += part + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(rows), 28, 28 + 8 * len(rows), 0, 0)
    return head + b"".join(struct.pack("<2I", *pair) for pair in table) + body
