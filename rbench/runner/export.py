"""A finished run's network as a folder that timm opens, LC-blocks and their like folded."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rbench.errors import UserError, printable
from rbench.network.build import build, load_weights, state_sha256
from rbench.network.fold import folded
from rbench.plugin.protocols import RegisteredWithTimm, TimmExportable
from rbench.records.record import Record, read
from rbench.records.store import RECORD_SUFFIX, Store
from rbench.runner.load_data import open_data
from rbench.seeds import generator
from rbench.spec.parse import parse
from rbench.spec.resolve import resolve
from rbench.spec.run_spec import RunSpec

if TYPE_CHECKING:
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.data import ImageData

TOLERANCE = 1e-5
"""How far the exported network's logits may be from the run's, over the largest one's magnitude."""


@dataclass(frozen=True)
class Exported:
    """Where the folder is, the architecture that timm opens it as, and how far logits moved."""

    folder: Path
    architecture: str
    moved: float
    module: str = ""
    """The module that registers the architecture where timm does not have it."""

    @property
    def opening(self) -> str:
        """Python lines that open the folder."""
        call = f'timm.create_model("local-dir:{self.folder}", pretrained=True)'
        return f"import timm{f', {self.module}' if self.module else ''}\n{call}"


def export(path: Path, output: Path, catalog: Catalog, data_dir: str | None = None) -> Exported:
    """Write the network of the record in ``path`` to ``output``: safetensors, config, model card.

    The run must have kept its weights (``--save-weights``). The folder is opened again with
    ``timm.create_model`` and its logits on noise compared before it is left there. UserError
    where weights or record do not fit, or timm has no such network.
    """
    record = read(path)
    weights = Store(path.parent).weights(path.name.removesuffix(RECORD_SUFFIX))
    if record.status != "done":
        raise UserError(f"{path} is of a run that is {record.status}")
    if not weights.exists():
        again = record.command or "rbench run ..."
        raise UserError(f"{weights} is missing; this makes it: {again} --save-weights")
    if output.exists() and any(output.iterdir()):
        raise UserError(f"--output {output} is not empty")
    places = {} if data_dir is None else {"data_dir": data_dir}
    spec = parse(RunSpec, {**record.spec, **places, "device": "cpu"}, str(path))
    resolved = resolve(spec, catalog)
    data, _ = open_data(resolved)
    network = build(resolved, data, lambda text: None).network
    load_weights(network, weights)
    if record.result_sha256 not in (None, state_sha256(network)):
        raise UserError(f"{weights} does not hold the weights that {path} tells of")
    network.eval()
    form = timm_form(folded(network), spec.model)
    try:
        return _write(form, network, data, record, output)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise


def timm_form(network: nn.Module, name: str) -> nn.Module:
    """The folded network as timm built it; UserError where timm has no such network."""
    form = network.timm_form() if isinstance(network, TimmExportable) else network
    if not isinstance(getattr(form, "pretrained_cfg", None), dict):
        raise UserError(f"{name} is not a timm model, and does not name one")
    return form.eval()


def _write(
    form: nn.Module, network: nn.Module, data: ImageData, record: Record, output: Path
) -> Exported:
    import timm
    from timm.models import save_for_hf

    entry = form if isinstance(form, RegisteredWithTimm) else None
    module = "" if entry is None else entry.timm_module
    size = (data.in_chans, *data.img_size)
    # timm reads the channels of a model that it does not know from here.
    form.pretrained_cfg = {**form.pretrained_cfg, "input_size": size}  # type: ignore[assignment, dict-item]
    own: dict[str, Any] = {"tag": "rbench", "license": None, "paper_ids": None, "hf_hub_id": None}
    save_for_hf(
        form,
        str(output),
        model_config={"pretrained_cfg": own, "label_names": data.class_names},
        model_args=None if entry is None else entry.timm_arguments,
        data_config={"input_size": size, "mean": data.mean, "std": data.std, "crop_pct": 1.0},
        safe_serialization=True,
    )
    architecture = str(form.pretrained_cfg["architecture"])  # type: ignore[index]
    (output / "README.md").write_text(card(record, architecture, module), encoding="utf-8")
    images = torch.rand(4, *size, generator=generator(0, "export"))
    with torch.no_grad():
        wanted: Tensor = network(images)
        if module:
            import_module(module)  # which makes the architecture known to timm
        try:
            opened = timm.create_model(f"local-dir:{output}", pretrained=True).eval()
            found: Tensor = opened(images)
        except RuntimeError as error:
            message = printable(" ".join(str(error).split()), 160)
            raise UserError(
                f"timm's {architecture} has another shape than the network of this run, such as "
                f"another stem: {message}"
            ) from error
    moved = ((found - wanted).abs().max() / wanted.abs().max().clamp(min=1)).item()
    if not moved <= TOLERANCE:
        raise UserError(
            f"timm's {architecture} has another shape than the network of this run, such as the "
            f"stride of its stem: its logits are off by {moved:.2g} of their size"
        )
    return Exported(output, architecture, moved, module)


def card(record: Record, architecture: str, module: str = "") -> str:
    """The model card: what was run and what it measured.

    ``module`` registers the architecture with timm where timm does not have it.
    """
    lines = [
        "---",
        "library_name: timm",
        "tags: [rbench, image-classification]",
        "---",
        "",
        f"# {record.spec.get('model')} on {record.data.name if record.data else 'its data'}",
        "",
        f"Exported from the rbench run `{record.digest[:10]}` ({record.protocol_name}, seed "
        f"{record.seed}); layers that fold are folded. Opens as timm's `{architecture}`.",
        "",
        "| metric | value | unit |",
        "|---|---:|---|",
        *(
            f"| {printable(m.name).replace('|', '/')} | {m.value:.6g} | {printable(m.unit)} |"
            for m in record.metrics
            if m.value is not None
        ),
    ]
    if module:
        lines += ["", f"timm itself has no such architecture; `import {module}` registers it."]
    return "\n".join(lines) + "\n"
