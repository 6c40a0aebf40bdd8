"""What is in the folders of a dataset: digests and sizes, without decoding an image."""

from __future__ import annotations

from collections.abc import Container, Sequence

from rbench import content_digests, content_revision
from rbench_plugins.datasets.splits import Split

MOST_IN_MEMORY = 2 * 1024**3


def digests(splits: Sequence[Split], skip_bad: bool) -> list[list[bytes]]:
    """The SHA-256 of every file, by split."""
    files = [file for split in splits for file in split.files]
    found = iter(content_digests(splits[0].base, files, skip_bad))
    return [[next(found) for _ in split.files] for split in splits]


def revision_of(
    splits: Sequence[Split],
    found: Sequence[Sequence[bytes]],
    left_out: Sequence[Container[int]] = (),
) -> str:
    """A revision from the names and digests of all files but those that are left out."""
    names: list[str] = []
    parts: list[bytes] = []
    for split, some, without in zip(splits, found, left_out or [()] * len(splits), strict=True):
        for index, (name, digest) in enumerate(zip(split.names(), some, strict=True)):
            if index not in without:
                names.append(name)
                parts.append(digest)
    return content_revision(names, parts)


def fits(splits: Sequence[Split], size: tuple[int, int], in_chans: int) -> bool:
    """Whether all images at ``size`` take less than 2 GiB."""
    images = sum(len(split.files) for split in splits)
    return images * in_chans * size[0] * size[1] < MOST_IN_MEMORY


SAMPLE = 2000


def sampled_revision(splits: Sequence[Split]) -> str:
    """A revision from the names and sizes of all files and the contents of 2,000 of them.

    For a published dataset that is too large to be read only to be named. The 2,000 files are
    evenly spaced. Another resolution or encoding of the same images changes the sizes.
    """
    files = [file for split in splits for file in split.files]
    names = [
        f"{name}\0{file.size}"
        for split in splits
        for name, file in zip(split.names(), split.files, strict=True)
    ]
    chosen = (
        {len(files) * index // SAMPLE for index in range(SAMPLE)}
        if len(files) > SAMPLE
        else range(len(files))
    )
    found = iter(content_digests(splits[0].base, [files[i] for i in sorted(chosen)]))
    parts = [next(found) if i in chosen else b"" for i in range(len(files))]
    return content_revision(names, parts).replace("sha256:", "sample:")
