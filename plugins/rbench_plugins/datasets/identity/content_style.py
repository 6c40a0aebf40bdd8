"""Which images ``datasets/content_style.py`` finds: a digest of their contents, without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rbench import DataContext, UnknownName, UserError
from rbench_plugins.datasets.content_style import ContentStyleOptions
from rbench_plugins.datasets.reading import find_images, readable

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")
TEXTURES = ("brick", "grass", "gravel", "hubble_deep_field", "immunohistochemistry")
EMBEDDED = (*PHOTOGRAPHS, *TEXTURES, "camera", "coins", "rocket", "retina", "cell", "horse")
"""What scikit-image carries in its wheel, without a download."""


def identity(context: DataContext, options: ContentStyleOptions) -> str:
    """A digest of all files' contents, contents before styles, each in order."""
    digest = hashlib.sha256()
    for found in sources(context, options, []):
        for source in found:
            if isinstance(source, Path):
                digest.update(hashlib.sha256(_bytes(source)).digest())
            else:
                digest.update(f"scikit-image {source}\0".encode())
        digest.update(b"\n")
    return f"sha256:{digest.hexdigest()[:32]}"


def sources(
    context: DataContext, options: ContentStyleOptions, skipped: list[str]
) -> tuple[list[str | Path], list[str | Path]]:
    """Contents and styles: what the options name, else data_dir's folders, else the embedded."""
    found = []
    for kind, named, embedded in (
        ("content", options.content, PHOTOGRAPHS),
        ("style", options.style, TEXTURES),
    ):
        words: tuple[str, ...] = named
        if not words and context.data_dir is not None:
            folder = context.data_dir / kind
            if not folder.is_dir():
                raise UserError(
                    f"{context.data_dir} has no folder {kind}/; expected content/ and style/, "
                    f"or --dataset-kwargs {kind}=IMAGE,..."
                )
            words = (str(folder),)
        sources: list[str | Path] = []
        for word in words or embedded:
            sources += _source(word, kind, context, skipped)
        found.append(sources)
    return found[0], found[1]


def _source(word: str, kind: str, context: DataContext, skipped: list[str]) -> list[str | Path]:
    """A file, the images of a folder, or an embedded picture."""
    path = Path(word).expanduser()
    if path.is_dir():
        images = [found for found, _ in readable(find_images(path), context.skip_bad, skipped)]
        if not images:
            raise UserError(f"{kind} {word}: the folder has no image")
        return [*images]
    if path.exists():
        return [path]
    if word in EMBEDDED:
        return [word]
    if path.suffix or "/" in word:
        raise UserError(f"{kind} {word}: there is no such file")
    raise UnknownName(f"{kind} image", word, EMBEDDED)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
