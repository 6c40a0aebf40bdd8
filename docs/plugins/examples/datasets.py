"""A dataset made in memory: bright images and dark ones."""

import rbench


class Options(rbench.Options):
    """What ``--dataset-kwargs`` accepts: ``images=200``."""

    images: int = 200


def open_data(context, options):
    import torch

    def split(purpose):
        generator = rbench.generator(0, "docs_bright", purpose)
        labels = torch.arange(options.images) % 2
        noise = torch.randint(0, 128, (options.images, 3, 8, 8), generator=generator)
        pixels = (noise + 127 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
        return rbench.MemoryImages(pixels, labels)

    return rbench.ImageData(
        name="docs_bright",
        revision="1",
        in_chans=3,
        img_size=(8, 8),
        train=split("train"),
        test=split("test"),
        class_names=["dark", "bright"],
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    )


@rbench.hookimpl
def rbench_register_datasets():
    return [
        rbench.Dataset(
            name="docs_bright",
            summary="Bright and dark noise, two classes.",
            open=open_data,
            options=Options,
            recipe="digits",
            needs_data_dir=False,
        )
    ]
